"""Which column means what."""

import pytest

from shared.domain.errors import JobFault
from shared.domain.model import JobCode
from shared.prompt_file.columns import Columns, Meaning, columns_of


@pytest.mark.parametrize(
    ("header", "meaning"),
    [
        ("Custom ID", Meaning.CUSTOM_ID),
        ("custom_id", Meaning.CUSTOM_ID),
        ("CustomId", Meaning.CUSTOM_ID),
        ("CUSTOM-ID", Meaning.CUSTOM_ID),
        ("custom\u00a0id", Meaning.CUSTOM_ID),
        ("Model Name", Meaning.MODEL),
        ("model", Meaning.MODEL),
        ("MODEL_NAME", Meaning.MODEL),
        ("prompt", Meaning.PROMPT),
        (" Prompt ", Meaning.PROMPT),
        ("System", Meaning.SYSTEM),
        ("REQUIRED", Meaning.REQUIRED),
        ("schema", Meaning.SCHEMA),
    ],
)
def test_columns_are_known_without_regard_to_case_spaces_underscores_and_hyphens(header: str, meaning: Meaning) -> None:
    assert columns_of(["a", header, "b"], {}) == Columns({meaning: header}, ("a", "b"))


@pytest.mark.parametrize("header", ["id", "Prompts", "System Prompt", "Model.Name", "", "custom/id"])
def test_all_others_are_the_users_own(header: str) -> None:
    assert columns_of([header], {}) == Columns({}, (header,))


@pytest.mark.parametrize(
    ("first", "second"), [("Prompt", "prompt"), ("Model", "Model Name"), ("custom_id", "Custom ID")]
)
def test_two_headers_of_the_same_meaning_are_refused(first: str, second: str) -> None:
    with pytest.raises(JobFault) as caught:
        columns_of([first, "x", second], {})

    assert caught.value.code is JobCode.INVALID_FILE
    assert f'The columns "{first}" and "{second}" both mean' in str(caught.value)


def test_an_override_gives_a_meaning_to_a_column_of_any_name() -> None:
    columns = columns_of(["Ticket", "Question", "x"], {"custom_id": "Ticket", "prompt": "question"})

    assert columns == Columns({Meaning.CUSTOM_ID: "Ticket", Meaning.PROMPT: "Question"}, ("Ticket", "x"))


def test_an_override_takes_the_meaning_from_the_column_that_is_named_like_it() -> None:
    columns = columns_of(["Prompt", "Question"], {"prompt": "Question"})

    assert columns == Columns({Meaning.PROMPT: "Question"}, ("Prompt",))


def test_an_override_takes_a_column_from_the_meaning_of_its_name() -> None:
    assert columns_of(["Prompt"], {"system": "Prompt"}) == Columns({Meaning.SYSTEM: "Prompt"}, ())


def test_an_override_of_null_leaves_the_column_to_the_user() -> None:
    assert columns_of(["Model", "Prompt"], {"model": None}) == Columns({Meaning.PROMPT: "Prompt"}, ("Model",))


def test_an_override_of_null_settles_two_headers_of_the_same_meaning() -> None:
    assert columns_of(["Model", "Model Name"], {"model": None}).own == ("Model", "Model Name")
    assert columns_of(["Model", "Model Name"], {"model": "Model"}).own == ("Model Name",)


def test_an_override_prefers_the_exact_header() -> None:
    assert columns_of(["a b", "A_B"], {"prompt": "A_B"}).meant == {Meaning.PROMPT: "A_B"}


def test_an_override_that_fits_two_headers_is_refused() -> None:
    with pytest.raises(JobFault, match='"a b" and "A_B" both fit "ab"') as caught:
        columns_of(["a b", "A_B"], {"prompt": "ab"})

    assert caught.value.code is JobCode.INVALID_FILE


def test_an_override_that_names_no_column_is_refused() -> None:
    with pytest.raises(JobFault, match='no column "Ticket"') as caught:
        columns_of(["Prompt"], {"custom_id": "Ticket"})

    assert caught.value.code is JobCode.MISSING_COLUMN


def test_own_columns_stay_in_the_files_order() -> None:
    assert columns_of(["z", "Prompt", "a", "m"], {}).own == ("z", "a", "m")
