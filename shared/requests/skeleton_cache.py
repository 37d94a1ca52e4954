"""The kinds of requests of a job: rows with the same model, system message and schema share one skeleton."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from shared import json_codec
from shared.domain.errors import UnsendableError
from shared.domain.model import CHAT_URLS, Fault, RowCode
from shared.job_settings import JobSettings
from shared.prompt_file.columns import Meaning, did_you_mean
from shared.requests.layout import ABSENT, Layout, text_of
from shared.requests.limits import check_text
from shared.requests.messages import Conversation, Message, with_images
from shared.requests.response_format import Formats, with_format
from shared.requests.skeleton import RawJson, RequestSkeleton, skeleton_of

_KINDS: Final = 256


class RowImages(Enum):
    """Whether a row has images: none, beside its text, or without any text."""

    NONE = 0
    BESIDE_TEXT = 1
    ALONE = 2


class RequestSkeletons:
    """Serialises what rows share, once for each kind of row; the last 256 kinds are kept."""

    def __init__(self, settings: JobSettings, model: str, conversation: Conversation, formats: Formats) -> None:
        """`model` is for rows that name none, empty without one."""
        self._settings = settings
        self._model = model
        self._conversation = conversation
        self._formats = formats
        self._by_kind: dict[tuple[object, ...], RequestSkeleton | Fault] = {}

    def of_kind(self, kind: Iterable[object], layout: Layout) -> RequestSkeleton | Fault:
        """Return the skeleton of rows with a prompt and these values under `layout.kind`."""
        return self.of_row(dict(zip(layout.kind, kind, strict=True)), layout, has_prompt=True)

    def of_row(
        self, values: Mapping[str, object], layout: Layout, has_prompt: bool, images: RowImages = RowImages.NONE
    ) -> RequestSkeleton | Fault:
        """Return the skeleton of a row; a fault where model, system message or schema keep it from being sent."""
        model, system = values.get(layout.model), values.get(layout.system)
        required, schema = values.get(layout.required), values.get(layout.schema)
        kind: tuple[object, ...] = (has_prompt, images, layout.system, model, system, required, schema)
        if not layout.all_texts:
            kind = (*kind[:3], *map(_comparable, kind[3:]))
        skeleton = self._by_kind.get(kind)
        if skeleton is None:
            if len(self._by_kind) >= _KINDS:
                del self._by_kind[next(iter(self._by_kind))]
            skeleton = self._by_kind[kind] = self._new(values, layout, has_prompt, images)
        return skeleton

    def _new(
        self, values: Mapping[str, object], layout: Layout, has_prompt: bool, images: RowImages
    ) -> RequestSkeleton | Fault:
        required, schema = values.get(layout.required), values.get(layout.schema)
        self._formats.see(required, schema)
        try:
            messages = self._messages(values, layout, has_prompt, images)
            model = text_of(values.get(layout.model), "The model").strip() or self._model
            format_ = self._formats.of_row(required, schema)
        except UnsendableError as exc:
            return exc.fault
        if not model:
            return Fault(
                RowCode.MISSING_MODEL,
                "The row names no model, nor do the job or the app: give it a Model column, a model in _job.json, or "
                "the app setting AZURE_OPENAI_DEPLOYMENT.",
            )
        return skeleton_of(self._settings.url, self._body(model, messages, format_.sent), format_.number)

    def _messages(
        self, values: Mapping[str, object], layout: Layout, has_prompt: bool, images: RowImages
    ) -> list[Message]:
        if images is RowImages.NONE and not has_prompt and not self._conversation.has_template:
            raise UnsendableError(RowCode.MISSING_PROMPT, _no_prompt(layout, self._settings))
        system = text_of(values.get(layout.system), "The system message")
        if self._settings.url in CHAT_URLS:
            check_text(system or self._settings.system or "")
        if has_prompt:
            messages = self._conversation.with_prompt(system)
        elif self._conversation.has_template and images is not RowImages.ALONE:
            messages = self._conversation.from_template(system)
        else:
            messages = self._conversation.without_text(system)
        if images is RowImages.NONE:
            return messages
        return with_images(messages, "text" if self._settings.url in CHAT_URLS else "input_text")

    def _body(self, model: str, messages: list[Message], schema: Mapping[str, object] | None) -> dict[str, object]:
        """Return the request's body: what asks, how to answer, and then the job's parameters."""
        url, parameters = self._settings.url, self._settings.parameters
        asked: dict[str, object] = {}
        if schema is not None:
            text = {"text": parameters["text"]} if "text" in parameters else {}
            asked = with_format(text, url, self._formats.name, RawJson(json_codec.encode(schema)))
        rest = {key: value for key, value in parameters.items() if key not in asked}
        return {"model": model, "messages" if url in CHAT_URLS else "input": messages} | asked | rest


def _no_prompt(layout: Layout, settings: JobSettings) -> str:
    """Say which column is empty, or is not there."""
    if layout.prompt is not ABSENT:
        what = "cell" if layout.all_texts else "value"
        return f'The row has no prompt: its {what} under "{layout.prompt[:60]}" is empty, and the job has no template.'
    wanted = settings.columns.get(Meaning.PROMPT, "Prompt")
    why = '"columns" of _job.json gives that meaning to no column'
    if wanted:
        why = f'it has no "{wanted[:60]}"{did_you_mean(wanted, layout.own)}'
    return (
        f"The row has no prompt: {why}, and the job has no template. If it is meant as a ready-made batch request, it "
        "needs a url, and a body that is an object."
    )


def _comparable(value: object) -> object:
    """Return what tells JSON values apart: 1, 1.0 and true are equal in Python."""
    return value if value is None or isinstance(value, str) else json_codec.dumps(value)
