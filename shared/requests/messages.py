"""The messages of a request: the system's and the user's, or the job's own list of them, texts being templates."""

from collections.abc import Iterator, Mapping, Sequence

from shared.job_settings import JobSettings
from shared.job_settings.templates import Template, is_empty
from shared.prompt_file.columns import column_key
from shared.requests.skeleton import IMAGES, SLOT

type Message = Mapping[str, object]

_SYSTEM_ROLES = ("system", "developer")


class Conversation:
    """What the job says, to be completed by a row's own system message."""

    def __init__(self, settings: JobSettings) -> None:
        """Parse the job's templates, which were checked when the settings were read."""
        self._system = settings.system
        self._messages: list[Message] | None = None
        if settings.messages is not None:
            self._messages = [_parsed(message) for message in settings.messages]
        elif settings.prompt is not None:
            self._messages = [{"role": "user", "content": Template.parse(settings.prompt)}]
        self._listed = settings.messages is not None
        self._templates = tuple(_templates(self._messages))
        self._names = tuple(dict.fromkeys(name for template in self._templates for name in template.columns))
        self.values = frozenset(map(column_key, self._names))
        """The keys of the columns that the templates use."""

    @property
    def has_template(self) -> bool:
        """Whether the job says what to ask, for rows without a prompt."""
        return self._messages is not None

    def names_in_double_braces(self) -> tuple[str, ...]:
        """Return what stands in double braces, which are text: some templates elsewhere name columns like that."""
        return tuple(dict.fromkeys(name for template in self._templates for name in template.names_in_double_braces()))

    def missing_in(self, headers: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that the templates use and a table with these headers lacks."""
        return tuple(dict.fromkeys(name for template in self._templates for name in template.missing_in(headers)))

    def empty_in(self, values: Mapping[str, object]) -> list[str]:
        """Return the columns that the templates use and that have no value; raises MissingValue where one lacks."""
        return [name for name in self._names if is_empty(values, name)]

    def with_prompt(self, system: str) -> list[Message]:
        """Return the messages for a row that has its own prompt; `system` is the row's own, empty without one."""
        return [*_system_message(system or self._system), {"role": "user", "content": SLOT}]

    def without_text(self, system: str) -> list[Message]:
        """Return the messages for a row that has images alone."""
        return [*_system_message(system or self._system), {"role": "user", "content": []}]

    def from_template(self, system: str) -> list[Message]:
        """Return the messages for a row that has none."""
        messages = list(self._messages or ())
        if not self._listed:
            return [*_system_message(system or self._system), *messages]
        if not system:
            return messages
        for place, message in enumerate(messages):
            if message.get("role") in _SYSTEM_ROLES:
                return [*messages[:place], {**message, "content": system}, *messages[place + 1 :]]
        return [*_system_message(system), *messages]


def with_images(messages: Sequence[Message], text_type: str) -> list[Message]:
    """Put the row's images after the text of the last user message, or into a new one if there is none.

    `text_type` is what the route calls a part that is text.
    """
    place = next((place for place in reversed(range(len(messages))) if messages[place].get("role") == "user"), None)
    if place is None:
        return [*messages, {"role": "user", "content": [IMAGES]}]
    content = messages[place].get("content")
    parts = content if isinstance(content, list) else [{"type": text_type, "text": content}]
    return [*messages[:place], {**messages[place], "content": [*parts, IMAGES]}, *messages[place + 1 :]]


def _system_message(text: str | None) -> list[Message]:
    return [{"role": "system", "content": text}] if text else []


def _parsed(message: Message) -> Message:
    return {key: _parsed_content(value) if key == "content" else value for key, value in message.items()}


def _parsed_content(content: object) -> object:
    """Parse a text as a template, and in a list of parts each part's text."""
    if isinstance(content, str):
        return Template.parse(content)
    if isinstance(content, Sequence):
        return [_parsed_part(part) for part in content]
    return content


def _parsed_part(part: object) -> object:
    if isinstance(part, Mapping) and isinstance(text := part.get("text"), str):
        return {**part, "text": Template.parse(text)}
    return part


def _templates(value: object) -> Iterator[Template]:
    if isinstance(value, Template):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _templates(item)
