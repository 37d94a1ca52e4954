"""What is dropped under which names: files, folders and patterns → uploads, and what goes before them."""

import difflib
import glob
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.prompt_file import form_of, is_image, is_text, why_unsupported

PROMPTS = "prompts"
_SETTINGS = "_job.json"
_LIST = ".files"
_OF_PDF = (
    " If a PDF holds a table of prompts, save it as .xlsx (or CSV); to ask about a PDF, name it in the column Image of "
    "a table, or in a .files list."
)


class DropError(Exception):
    """A file cannot be dropped; the message says which and why."""


@dataclass(frozen=True)
class Upload:
    """A blob to write: its name, and the file or the bytes that it gets."""

    blob: str
    source: Path | bytes

    def read(self) -> bytes:
        """Return its content."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@dataclass(frozen=True)
class DropPlan:
    """Prompt files to drop, and what has to be there before them: settings, schemas, images, documents."""

    prompts: tuple[Upload, ...]
    before: tuple[Upload, ...]


def plan_drops(arguments: Iterable[str | Path], limit: int | None = None) -> DropPlan:
    """Decide under which names paths, folders and patterns are dropped; raises DropError.

    A file with a _job.json beside it goes with all _* files of its folder, into a folder of the same name: in the
    container's root they would apply to every later file. With a limit, everything goes into a folder of its own,
    whose settings have the limit besides, so that no file of the container is changed.
    """
    prompts: list[Upload] = []
    before: list[Upload] = []
    for path in dict.fromkeys(path.resolve() for argument in arguments for path in _expand(str(argument))):
        found = _of_folder(path, limit) if path.is_dir() else _of_file(path, limit)
        prompts += found.prompts
        before += found.before
    plan = DropPlan(tuple(dict.fromkeys(prompts)), tuple(dict.fromkeys(_limited(before, prompts, limit))))
    _refuse_settings_alone(plan)
    _refuse_clashes([*plan.prompts, *plan.before])
    return plan


def _expand(argument: str) -> list[Path]:
    """Return the path, or the paths that match it: no shell does that on Windows."""
    path = Path(argument)
    if path.exists():
        return [path]
    if not glob.has_magic(argument):
        raise DropError(f"There is no file {argument}.{_meant(path)}")
    found = [Path(name) for name in sorted(glob.glob(argument, recursive=True))]
    if not found:
        raise DropError(f"No file matches {argument}.")
    return [path for path in found if not path.name.startswith((".", "_")) and _can_be_dropped(path)] or found


def _can_be_dropped(path: Path) -> bool:
    return path.is_dir() or _is_document(path) or form_of(path.name) is not None


def _meant(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    near = difflib.get_close_matches(path.name, [other.name for other in path.parent.iterdir()], n=1)
    return f" Did you mean {path.parent / near[0]}?" if near else ""


def _of_file(path: Path, limit: int | None) -> DropPlan:
    has_settings = (path.parent / _SETTINGS).is_file()
    folder = _folder_name(path.parent.name if has_settings else "", limit)
    beside = [other for other in sorted(path.parent.glob("_*")) if other.is_file()] if has_settings else []
    before = [Upload(f"{folder}{other.name}", other) for other in beside]
    if path.suffix.lower() == _LIST:
        before += [Upload(f"{folder}{name}", other) for name, other in _documents_below(path.parent)]
    if path.name.startswith("."):
        raise DropError(f"{path.name} is not a prompt file: names that begin with _ or . are kept for other files.")
    if path.name.startswith("_") or _is_document(path):
        return DropPlan((), (*before, Upload(f"{folder}{path.name}", path)))
    if form_of(path.name) is None:
        raise DropError(why_unsupported(path.name))
    return DropPlan((Upload(f"{folder}{path.name}", path),), tuple(before))


def _documents_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """List what a list of documents may name, each by its path from the list's folder."""
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        if _is_document(file) and file.is_file() and not any(part.startswith((".", "_")) for part in relative.parts):
            yield relative.as_posix(), file


def _of_folder(path: Path, limit: int | None) -> DropPlan:
    folder = _folder_name(path.name.lstrip("_.") or "files", limit)
    prompts: list[Upload] = []
    before: list[Upload] = []
    others: list[Upload] = []
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path)
        if not file.is_file() or any(part.startswith((".", "_")) for part in relative.parts[:-1]):
            continue
        upload = Upload(f"{folder}{relative.as_posix()}", file)
        if file.name.startswith("_") or _is_document(file):
            before.append(upload)
        elif not file.name.startswith("."):
            (others if form_of(file.name) is None else prompts).append(upload)
    if not prompts:
        why = f" {why_unsupported(others[0].blob.removeprefix(folder))}" if others else ""
        raise DropError(f"There is no prompt file in the folder {path}.{why}")
    return DropPlan(tuple(prompts), tuple(before))


def _folder_name(name: str, limit: int | None) -> str:
    """Return the folder in the container, with its slash; empty for the root."""
    folder = name.lstrip("_.")
    if name and not folder:
        folder = "files"
    if limit is not None:
        folder = f"{folder}-trial-{limit}" if folder else f"trial-{limit}"
    return f"{folder}/" if folder else ""


def _is_document(path: Path) -> bool:
    return is_image(path.name) or is_text(path.name)


def _limited(before: list[Upload], prompts: list[Upload], limit: int | None) -> list[Upload]:
    """Add the limit to all settings, and settings to folders that have none."""
    if limit is None:
        return before
    top = [f"{upload.blob.partition('/')[0]}/{_SETTINGS}" for upload in prompts]
    missing = dict.fromkeys(name for name in top if name not in {upload.blob for upload in before})
    return [_with_limit(upload, limit) for upload in before] + [
        Upload(name, _json_bytes({"limit": limit})) for name in missing
    ]


def _with_limit(upload: Upload, limit: int) -> Upload:
    if not upload.blob.endswith(f"/{_SETTINGS}"):
        return upload
    try:
        settings = json.loads(upload.read().decode("utf-8-sig"))
        if not isinstance(settings, dict):
            raise ValueError("it must hold an object, {…}")
    except ValueError as error:
        raise DropError(f"{upload.blob} is not valid JSON, so --limit cannot be added: {error}.") from error
    return Upload(upload.blob, _json_bytes({**settings, "limit": limit}))


def _json_bytes(settings: dict[str, Any]) -> bytes:
    return json.dumps(settings, indent=2, ensure_ascii=False).encode()


def _refuse_settings_alone(plan: DropPlan) -> None:
    """Refuse what nothing would come of: settings or documents without a prompt file."""
    if plan.prompts:
        return
    names = [upload.blob.rpartition("/")[2] for upload in plan.before]
    has_pdf = any(name.lower().endswith(".pdf") for name in names)
    raise DropError(
        f"{', '.join(names)} is not a prompt file: images and documents go along with one, and so do names that begin "
        f"with _.{_OF_PDF if has_pdf else ''}"
    )


def _refuse_clashes(uploads: Sequence[Upload]) -> None:
    for blob, count in Counter(upload.blob for upload in uploads).items():
        if count > 1:
            raise DropError(f"Two files would be dropped as {PROMPTS}/{blob}. Rename one, or drop them one by one.")
