"""Fetch a job's result files into a local folder."""

from pathlib import Path

from local.servers.stack import LOCAL
from shared.domain import blob_names
from shared.domain.ports import App, Container


def results_root(out: str | None) -> Path:
    """Return the folder under which results are put."""
    return Path(out).resolve() if out else LOCAL / "results"


def fetch(app: App, prompt_file: str, job_id: str, root: Path) -> Path:
    """Download all result files of a job below `root` and return the folder where they lie; raises AppError."""
    prefix = f"{blob_names.results_name(prompt_file)}/{job_id}/"
    target = root / prompt_file / job_id
    for blob in app.files.blobs(Container.RESULTS, prefix=prefix):
        path = target / blob.name.removeprefix(prefix)
        if not path.resolve().is_relative_to(root.resolve()):
            continue  # a name with `..` in it: not one of ours
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for piece in app.files.read(Container.RESULTS, blob.name):
                file.write(piece)
    return target


def file_names(folder: Path) -> list[str]:
    """List what was fetched, what people open first at the beginning."""
    order = ["results.xlsx", "results.csv", "results.parquet", "results.jsonl", "errors.jsonl"]
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))
