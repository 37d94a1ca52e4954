"""Dropping files into storage, against Azurite: what is written, what is said, what an interruption leaves."""

import hashlib
from pathlib import Path

import pytest

from local.commands import drop as dropping
from local.commands.drop import main
from local.commands.place import Place
from local.commands.prompt_paths import plan_drops
from local.commands.uploading import Dropped, upload
from local.servers.processes import Interrupted
from shared.domain.ports import Container
from tests.dev.conftest import Shown


def test_an_upload_knows_the_job_id_that_the_contract_gives_it(place: Place, tmp_path: Path) -> None:
    (tmp_path / "Größe.csv").write_text("Prompt\nx\n", "utf-8")
    (tmp_path / "_job.json").write_text("{}")
    (dropped,) = upload(place.app, plan_drops([tmp_path / "Größe.csv"]))
    name = f"{tmp_path.name}/Größe.csv"
    found = place.app.files.info(Container.PROMPTS, name)
    assert found is not None
    container = place.app.settings.prompts_container
    digest = hashlib.sha256(f"{container}/{name}\n{found.etag}".encode()).hexdigest()[:8]
    assert dropped == Dropped(name, f"{found.last_modified:%Y%m%dT%H%M%SZ}-{digest}")
    assert place.app.files.info(Container.PROMPTS, f"{tmp_path.name}/_job.json")


def test_a_large_file_is_uploaded_in_pieces_and_comes_whole(place: Place, tmp_path: Path) -> None:
    content = b"Prompt\n" + b"0123456789abcde\n" * 600_000
    (tmp_path / "large.csv").write_bytes(content)
    upload(place.app, plan_drops([tmp_path / "large.csv"]))
    assert b"".join(place.app.files.read(Container.PROMPTS, "large.csv")) == content


def test_settings_that_a_drop_changes_in_the_container_are_named(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Prompt\nx\n")
    (tmp_path / "_job.json").write_text('{"model": "a"}')
    dropping.drop(place, plan_drops([tmp_path / "a.csv"]), Shown().screen)
    unchanged, changed = Shown(), Shown()
    dropping.drop(place, plan_drops([tmp_path / "a.csv"]), unchanged.screen)
    assert "Replacing" not in unchanged.text
    (tmp_path / "_job.json").write_text('{"model": "b"}')
    dropping.drop(place, plan_drops([tmp_path / "a.csv"]), changed.screen)
    assert f"Replacing prompts/{tmp_path.name}/_job.json" in changed.text


def test_a_trial_changes_no_file_of_the_container(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Prompt\nx\n")
    (tmp_path / "_job.json").write_text('{"model": "a"}')
    upload(place.app, plan_drops([tmp_path / "a.csv"]))
    before = {blob.name: blob.etag for blob in place.app.files.blobs(Container.PROMPTS)}
    upload(place.app, plan_drops([tmp_path / "a.csv"], limit=5))
    after = {blob.name: blob.etag for blob in place.app.files.blobs(Container.PROMPTS)}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2


def test_a_name_with_brackets_is_shown_as_it_is(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Brackets are markup to rich, which would swallow them, or fail over the lone closing one."""
    (tmp_path / "a[bold]b[:no].csv").touch()
    monkeypatch.setattr("local.commands.running.interrupt_on_signals", lambda: None)
    monkeypatch.setattr(dropping, "place_of", lambda _: place)
    monkeypatch.setattr(dropping, "upload", lambda _, plan: [Dropped(one.blob, "job-1") for one in plan.prompts])
    monkeypatch.setattr(dropping, "follow", lambda *_: [{}])
    monkeypatch.setattr(dropping, "show_results", lambda *_: 0)

    assert main(["drop", str(tmp_path / "a[bold]b[:no].csv")]) == 0
    assert capsys.readouterr().out == "Dropped prompts/a[bold]b[:no].csv (job job-1)\n"


@pytest.mark.parametrize(
    ("interruption", "status", "uploaded", "words"),
    [
        (KeyboardInterrupt(), 130, True, "The jobs go on. Fetch their results later:  python3 dev.py results job-1"),
        (Interrupted(15), 143, True, "The jobs go on"),
        (KeyboardInterrupt(), 130, False, "Stopped."),
    ],
)
def test_an_interrupted_drop_says_what_goes_on(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    interruption: KeyboardInterrupt,
    status: int,
    uploaded: bool,
    words: str,
) -> None:
    def interrupt(*_: object) -> list[Dropped]:
        raise interruption

    (tmp_path / "a.csv").touch()
    monkeypatch.setattr("local.commands.running.interrupt_on_signals", lambda: None)
    monkeypatch.setattr(dropping, "place_of", lambda _: place)
    monkeypatch.setattr(dropping, "upload", (lambda *_: [Dropped("a.csv", "job-1")]) if uploaded else interrupt)
    monkeypatch.setattr(dropping, "follow", interrupt)

    assert main(["drop", str(tmp_path / "a.csv")]) == status
    assert words in capsys.readouterr().err
