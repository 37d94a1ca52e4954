"""Under which names files, folders and patterns are dropped, and what goes before them."""

import json
from pathlib import Path

import pytest

from local.commands.prompt_paths import DropError, Upload, plan_drops


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}" if name.endswith("_job.json") else name)


def blobs(uploads: tuple[Upload, ...]) -> list[str]:
    return [upload.blob for upload in uploads]


def test_a_lone_file_goes_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    plan = plan_drops([tmp_path / "a.csv"])
    assert plan.prompts == (Upload("a.csv", (tmp_path / "a.csv").resolve()),)
    assert plan.before == ()


def test_a_file_with_settings_beside_it_goes_with_them_into_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "_Towers"
    make(folder, "a.csv", "_job.json", "_schema.json", "b.json")
    plan = plan_drops([folder / "a.csv"])
    assert blobs(plan.prompts) == ["Towers/a.csv"]
    assert blobs(plan.before) == ["Towers/_job.json", "Towers/_schema.json"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.csv", "There is no file"),
        ("_job.json", "is not a prompt file"),
        (".hidden.csv", "is not a prompt file"),
        ("photo.png", "is not a prompt file"),
        ("folder", "There is no prompt file in the folder"),
        ("no*.csv", "No file matches"),
    ],
)
def test_what_cannot_be_dropped_is_refused_by_name(tmp_path: Path, name: str, reason: str) -> None:
    make(tmp_path, "_job.json", ".hidden.csv", "photo.png", "folder/notes.docx")
    with pytest.raises(DropError, match=reason) as refusal:
        plan_drops([tmp_path / name])
    assert name in str(refusal.value)


@pytest.mark.parametrize("name", ["a.xls", "a.XLSB", "a.ods", "a.numbers", "a.docx", "a.pdf", "a"])
def test_a_file_of_another_program_is_refused_with_what_to_save_it_as(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)
    with pytest.raises(DropError, match=r"save it as \.xlsx \(or CSV\)|Save it as \.xlsx \(or CSV\)") as refusal:
        plan_drops([tmp_path / name])
    assert name in str(refusal.value)


def test_a_folder_of_nothing_but_files_of_another_program_is_refused_likewise(tmp_path: Path) -> None:
    make(tmp_path, "shop/june/a.ods")
    with pytest.raises(
        DropError, match=r"no prompt file in the folder .* june/a\.ods: .* Save it as \.xlsx \(or CSV\)"
    ):
        plan_drops([tmp_path / "shop"])


def test_a_pattern_passes_over_what_cannot_be_dropped(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "a.docx", "_schema.json")
    assert blobs(plan_drops([tmp_path / "*"]).prompts) == ["a.csv"]


def test_a_mistyped_file_is_told_from_the_one_that_was_meant(tmp_path: Path) -> None:
    make(tmp_path, "tickets.xlsx", "other.csv")
    with pytest.raises(DropError, match=r"Did you mean .*tickets\.xlsx\?"):
        plan_drops([tmp_path / "tikets.xlsx"])


def test_two_files_of_one_name_are_not_dropped_over_each_other(tmp_path: Path) -> None:
    make(tmp_path, "a/x.csv", "b/x.csv")
    with pytest.raises(DropError, match=r"prompts/x\.csv"):
        plan_drops([tmp_path / "a" / "x.csv", tmp_path / "b" / "x.csv"])


def test_a_file_named_twice_is_dropped_once(tmp_path: Path) -> None:
    make(tmp_path, "a.csv")
    assert blobs(plan_drops([tmp_path / "a.csv", tmp_path / "*.csv"]).prompts) == ["a.csv"]


def test_a_folder_goes_with_all_prompt_files_settings_images_and_documents_in_it(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    make(shop, "_job.json", "a.csv", "june/b.jsonl.gz", "june/_job.json", "june/scan.PDF", "list.files")
    make(shop, "notes.docx", ".git/c.csv", "_old/d.csv", ".hidden.csv")
    plan = plan_drops([shop])
    assert set(blobs(plan.prompts)) >= {"shop/a.csv", "shop/june/b.jsonl.gz"}
    assert blobs(plan.before) == ["shop/_job.json", "shop/june/_job.json", "shop/june/scan.PDF"]
    named = " ".join(blobs(plan.prompts))
    assert not any(word in named for word in ("docx", ".git", "_old", "hidden"))


def test_a_list_of_documents_goes_with_the_documents_below_it(tmp_path: Path) -> None:
    for name in ("in/_job.json", "in/all.files", "in/a.PDF", "in/sub/b.txt", "in/_old/c.png", "in/table.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")

    plan = plan_drops([tmp_path / "in" / "all.files"])

    assert [upload.blob for upload in plan.prompts] == ["in/all.files"]
    assert [upload.blob for upload in plan.before] == ["in/_job.json", "in/a.PDF", "in/sub/b.txt"]


def test_a_pattern_that_no_shell_has_expanded_is_understood(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "b.csv", "_c.csv", "deep/er/d.csv")
    assert blobs(plan_drops([f"{tmp_path}/*.csv"]).prompts) == ["a.csv", "b.csv"]
    assert blobs(plan_drops([f"{tmp_path}/**/d.csv"]).prompts) == ["d.csv"]


def test_what_a_shell_made_of_a_star_is_understood_settings_and_images_included(tmp_path: Path) -> None:
    make(tmp_path / "x", "_job.json", "a.csv", "photo.png")
    plan = plan_drops(sorted((tmp_path / "x").iterdir()))
    assert blobs(plan.prompts) == ["x/a.csv"]
    assert set(blobs(plan.before)) == {"x/_job.json", "x/photo.png"}


class TestTrial:
    """With a limit."""

    def test_a_lone_file_goes_to_a_folder_of_its_own_with_the_limit(self, tmp_path: Path) -> None:
        make(tmp_path, "a.csv")
        plan = plan_drops([tmp_path / "a.csv"], limit=5)
        assert blobs(plan.prompts) == ["trial-5/a.csv"]
        [settings] = plan.before
        assert (settings.blob, json.loads(settings.read())) == ("trial-5/_job.json", {"limit": 5})

    def test_settings_keep_what_they_say_and_get_the_limit(self, tmp_path: Path) -> None:
        make(tmp_path / "shop", "a.csv", "_schema.json", "june/b.csv", "june/_job.json")
        (tmp_path / "shop" / "_job.json").write_text('\ufeff{"model": "m", "limit": 100}', "utf-8")
        plan = plan_drops([tmp_path / "shop"], limit=5)
        assert blobs(plan.prompts) == ["shop-trial-5/a.csv", "shop-trial-5/june/b.csv"]
        said = {upload.blob: upload.read() for upload in plan.before}
        assert json.loads(said["shop-trial-5/_job.json"]) == {"model": "m", "limit": 5}
        assert json.loads(said["shop-trial-5/june/_job.json"]) == {"limit": 5}
        assert said["shop-trial-5/_schema.json"] == b"_schema.json"

    @pytest.mark.parametrize("content", ["{not json", "[1]"])
    def test_settings_that_cannot_take_a_limit_are_refused_before_anything_is_sent(
        self, tmp_path: Path, content: str
    ) -> None:
        make(tmp_path / "shop", "a.csv")
        (tmp_path / "shop" / "_job.json").write_text(content)
        with pytest.raises(DropError, match=r"_job\.json is not valid JSON"):
            plan_drops([tmp_path / "shop" / "a.csv"], limit=5)
