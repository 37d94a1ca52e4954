"""The documents of a failed row as errors.jsonl holds them: images by address, a text file with its current content."""

from collections.abc import Sequence

from shared.documents.image_files import UnsupportedDocumentError
from shared.documents.pictures import MAX_TEXT, ByAddress, Picture, text_of
from shared.documents.references import Reference
from shared.domain.errors import NotFound, UnsendableError
from shared.domain.model import Job, Record, RowCode
from shared.domain.ports import App, Container
from shared.pipeline.build.built_documents import PdfPages
from shared.requests import RequestBuilder


class SourceDocuments:
    """Finds the documents of a job's rows, which must be asked for in the order of the file."""

    def __init__(self, app: App, job: Job) -> None:
        self._app = app
        self._pages = PdfPages(app, job)

    def of(self, record: Record, builder: RequestBuilder) -> "RowDocuments":
        """Return the documents of one row."""
        references = builder.documents(record)
        pages = self._pages.of(record.row) if references else ()
        return RowDocuments(self._app, ByAddress(dict(zip(references, pages, strict=False))))


class RowDocuments:
    """The documents of one row."""

    def __init__(self, app: App, by_address: ByAddress) -> None:
        self._app = app
        self._by_address = by_address

    def pictures(self, reference: Reference) -> Sequence[Picture]:
        """Return the address of an image, or one address for each page of a PDF."""
        return self._by_address.pictures(reference)

    def text(self, reference: Reference) -> str:
        """Return a text file's content. Raises UnsendableError if it is gone, or no longer a text."""
        try:
            return text_of(self._app.files.read_range(Container.PROMPTS, reference.address, 0, MAX_TEXT + 1))
        except (NotFound, UnsupportedDocumentError) as error:
            raise UnsendableError(RowCode.DOCUMENT_UNSUPPORTED, str(error)) from None
