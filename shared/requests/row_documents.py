"""The documents of a row: the images that its columns name, or the file that it stands for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from shared.documents.image_files import UnsupportedDocumentError
from shared.documents.pictures import Documents, Picture, picture_of_url
from shared.documents.references import InvalidReferenceError, Reference, ReferenceKind, read_reference
from shared.domain.errors import UnsendableError
from shared.domain.model import Record, RowCode
from shared.job_settings import JobSettings
from shared.prompt_file import form_of, is_image, is_text
from shared.prompt_file.form import Kind
from shared.requests.layout import Layout

FILE_COLUMNS: Final = ("File", "Name", "Folder", "Bytes", "Modified")
"""The columns of a `.files` list's rows."""

TEXT_COLUMN: Final = "Text"
"""What a template calls the text of such a row's file."""

_TEXT_FORMS: Final = frozenset({Kind.CSV, Kind.TSV, Kind.JSON_LINES, Kind.JSON_ARRAY, Kind.FILE_LIST})


class RowDocuments:
    """Finds the documents of rows, and checks how many images a row has."""

    def __init__(self, prompt_file: str, settings: JobSettings) -> None:
        """`prompt_file` is the full name of the file whose rows they are."""
        self._folder = prompt_file.rpartition("/")[0]
        form = form_of(prompt_file)
        self.is_file_list = form is not None and form.kind is Kind.FILE_LIST
        self._most = settings.images.pages

    def is_file(self, record: Record) -> bool:
        """Return whether a row stands for a file: of a `.files` list, or of its errors.jsonl dropped again."""
        if self.is_file_list:
            return "File" in record.values
        return record.is_dropped_again and tuple(record.values) == FILE_COLUMNS

    def of_file(self, record: Record) -> Reference:
        """Return the file that a row stands for; raises UnsendableError where it is neither image nor text."""
        name = str(record.values["File"])
        if is_image(name):
            return Reference(ReferenceKind.BLOB, name)
        form = form_of(name)
        if is_text(name) or (form is not None and form.kind in _TEXT_FORMS and not form.gzipped):
            return Reference(ReferenceKind.TEXT, name)
        raise UnsendableError(
            RowCode.DOCUMENT_UNSUPPORTED,
            f"The file /{name} cannot be sent: images (PNG, JPEG, WebP, GIF), PDFs and texts (TXT, MD, HTML, XML, EML) "
            "can.",
        )

    def of_columns(self, values: Mapping[str, object], layout: Layout) -> list[Reference]:
        """Return the images that a row's columns name, in their order; raises UnsendableError."""
        found = [
            self._reference(cell, header) for header in layout.images for cell in _cells(values.get(header), header)
        ]
        self.check_count(len(found))
        return found

    def pictures(self, references: Sequence[Reference], documents: Documents) -> list[Picture]:
        """Return the images of a row, each page of a PDF as one; raises UnsendableError."""
        found: list[Picture] = []
        for place, reference in enumerate(references, 1):
            if reference.kind is ReferenceKind.DATA:
                found.append(_picture_of_url(reference.address, place))
            else:
                found += documents.pictures(reference)
        self.check_count(len(found))
        return found

    def check_count(self, count: int) -> None:
        """Raise UnsendableError where a row has more images than the job allows."""
        if count > self._most:
            raise UnsendableError(
                RowCode.IMAGE_UNSUPPORTED,
                f"The row has {count} images; {self._most} are allowed. Raise images.pages in _job.json (50 at most), "
                "or split the row.",
            )

    def _reference(self, cell: str, header: str) -> Reference:
        try:
            return read_reference(cell, self._folder)
        except InvalidReferenceError as error:
            raise UnsendableError(
                RowCode.IMAGE_UNSUPPORTED, f'The image in the column "{header[:60]}" cannot be sent: {error}.'
            ) from None


def _picture_of_url(url: str, place: int) -> Picture:
    """Return the image of a data URL, the row's image of the number `place`; raises UnsendableError."""
    try:
        return picture_of_url(url)
    except UnsupportedDocumentError as error:
        raise UnsendableError(
            RowCode.IMAGE_UNSUPPORTED, f"The row's image {place}, a data: URL, cannot be sent: {error}."
        ) from None


def _cells(value: object, header: str) -> Iterator[str]:
    for cell in value if isinstance(value, list) else (value,):
        if cell is None:
            continue
        if not isinstance(cell, str):
            raise UnsendableError(
                RowCode.INVALID_REQUEST, f'The value under "{header[:60]}" must be a text or a list of texts.'
            )
        if cell and not cell.isspace():
            yield cell
