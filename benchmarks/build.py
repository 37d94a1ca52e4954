"""Building: a prompt file on disk → the batches' files on disk."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import floors
from benchmarks.inputs import prompt_file
from benchmarks.measure import compare, peak_mb
from benchmarks.stand_ins import dropped, local_app
from shared.domain.ports import App, Container
from shared.pipeline.build import building
from testing.seeding import loaded

FLOORS = {"csv": floors.build_csv, "jsonl": floors.build_jsonl}


def measured(folder: str, kind: str, rows: int, runs: int) -> dict[str, Any]:
    """Compare building with its floor; both must have written the same bytes."""
    source = prompt_file(Path(folder), kind, rows)
    with _place(folder) as place:
        bare = place / "requests", place / "rows"
        found = compare(
            lambda: _build(place, source),
            lambda: FLOORS[kind](source, *bare),
            runs,
            clear=lambda: _clear(place, *bare),
        )
        _same(place, *bare)
        size = bare[0].stat().st_size + bare[1].stat().st_size
    figures = found.to_figures(rows)
    return {**figures, "bytes_in": source.stat().st_size, "bytes_out": size}


def peak(folder: str, kind: str, rows: int) -> float:
    """Return the peak memory of a process that builds once, in MB."""
    source = prompt_file(Path(folder), kind, rows)
    with _place(folder) as place:
        _build(place, source)
    return peak_mb()


def _clear(place: Path, requests: Path, listed: Path) -> None:
    shutil.rmtree(place / "app", ignore_errors=True)
    requests.unlink(missing_ok=True)
    listed.unlink(missing_ok=True)


def _build(place: Path, source: Path) -> App:
    app = local_app(place / "app")
    job = dropped(app, source, f"prompts{source.suffix}")
    building.prepare(loaded(app, job.job_id))
    built = app.store.job(job.job_id)
    assert built is not None
    assert built.built
    assert not built.code, built.message
    return app


def _same(place: Path, requests: Path, listed: Path) -> None:
    """Compare what the app wrote last with what its floor wrote."""
    work = place / "app" / Container.WORK.value
    for name, bare in (("input.jsonl", requests), ("rows.jsonl", listed)):
        with bare.open("rb") as expected:
            for path in sorted(work.glob(f"*/batch-*/{name}")):
                with path.open("rb") as found:
                    while chunk := found.read(floors.BUFFER):
                        assert chunk == expected.read(len(chunk)), f"{path} differs from the floor's"
            assert not expected.read(1)


@contextmanager
def _place(folder: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        yield Path(place)
