"""Prompt templates."""

import re
from string import Formatter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.job_settings.templates import MissingValue, Template


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("no column", "no column"),
        ("{name}", "Shard"),
        ("{ name }!", "Shard!"),
        ("{name}{name}", "ShardShard"),
        ("{{name}} {{}} {{{name}}}", "{name} {} {Shard}"),
        ("{Height in m} m", "309.6 m"),
        ("{HEIGHT_IN-M}", "309.6"),
        ("{größe.x}", "größer"),
        ("{list} {object} {yes} {none}|", '["a",1] {"k":"ü"} true |'),
        ("{two\nlines}", "2"),
        ("{empty}|", "|"),
    ],
)
def test_values_stand_in_the_place_of_columns(template: str, text: str) -> None:
    values = {
        "name": "Shard",
        "Height in m": 309.6,
        "größe.x": "größer",
        "list": ["a", 1],
        "object": {"k": "ü"},
        "yes": True,
        "none": None,
        "two\nlines": 2,
        "empty": "",
    }

    assert Template.parse(template).render(values) == text


def test_the_exact_header_comes_before_one_that_is_like_it() -> None:
    assert Template.parse("{a_b}").render({"A B": "like", "a_b": "exact"}) == "exact"
    assert Template.parse("{ab}").render({"A B": "first", "a_b": "second"}) == "first"


def test_a_value_is_put_in_as_it_is() -> None:
    assert Template.parse("{a}").render({"a": "{b} {{}} }"}) == "{b} {{}} }"


def test_columns_are_named_once_in_their_order() -> None:
    assert Template.parse("{b} {a} {b} {{c}}").columns == ("b", "a")


def test_a_missing_value_is_named() -> None:
    with pytest.raises(MissingValue, match='needs a column "b"') as caught:
        Template.parse("{a} {b}").render({"a": "1"})

    assert caught.value.column == "b"


def test_a_table_is_told_which_columns_it_lacks() -> None:
    assert Template.parse("{a} {B_c} {d}").missing_in(["A", "b C"]) == ("d",)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{", "the brace { at character 1 has no partner"),
        ("}", "the brace } at character 1 has no partner"),
        ("text {a} } text", "the brace } at character 10 has no partner"),
        ("text {a text", "the brace { at character 6 has no partner"),
        ("one\ntwo {a\n{b}", "the brace { in line 2 at character 5 has no partner"),
        ("{{{a}}", "the brace } at character 6 has no partner"),
        ("{}", "the braces at character 1 name no column"),
        ("a { } b", "the braces at character 3 name no column"),
    ],
)
def test_a_lone_brace_is_refused_with_its_place(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        Template.parse(template)


@settings(deadline=None)
@given(st.text(st.sampled_from("{}ab \n")))
def test_what_pythons_own_templates_accept_means_the_same(text: str) -> None:
    """str.format is the oracle, as far as its fields are plain names."""
    try:
        fields = [field for _, field, _, _ in Formatter().parse(text)]
        plain = all(field is None or field.strip() for field in fields)
        expected = text.format_map(_Echo()) if plain else None
    except (ValueError, IndexError):
        expected = None
    if expected is None:
        with pytest.raises(ValueError, match="brace"):
            Template.parse(text)
    else:
        template = Template.parse(text)
        assert template.render({column: column for column in template.columns}) == expected


class _Echo(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key.strip()
