"""The folders in which batches keep their input, the offsets of its lines, and their results so far."""

import os
import shutil
from pathlib import Path


class Workplace:
    """One folder per batch that has not been delivered yet."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def folder(self, batch_id: str) -> Path:
        """Return a batch's folder."""
        return self._root / batch_id

    def make(self, batch_id: str) -> Path:
        """Make a batch's folder."""
        folder = self.folder(batch_id)
        folder.mkdir(parents=True)
        return folder

    def remove(self, batch_id: str) -> None:
        """Remove a batch's folder."""
        shutil.rmtree(self.folder(batch_id), ignore_errors=True)

    def clear(self) -> None:
        """Remove all folders."""
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir(parents=True, exist_ok=True)


def keep(source: Path, target: Path) -> None:
    """Keep a file's bytes under another name, so that deleting the file does not hurt its batch."""
    try:
        os.link(source, target)
    except OSError:  # the file system has no links
        shutil.copyfile(source, target)
