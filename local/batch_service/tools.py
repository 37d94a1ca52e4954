"""Function tools of a request: which one the answer calls, with arguments that fit its parameters."""

from dataclasses import dataclass
from typing import Any

from local.batch_service import instances, json_text

Body = dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """A call of a function, its arguments as JSON text. `forced`: the request had named it."""

    name: str
    arguments: str
    forced: bool

    @property
    def finish(self) -> str:
        """The finish reason of a chat completion that makes this call."""
        return "stop" if self.forced else "tool_calls"


def call(body: Body, responses: bool, seed: bytes, prompt: str, has_schema: bool) -> ToolCall | None:
    """Return the call that answers a request, or None where it is answered with a text.

    Where the choice is left to the model, it calls the first function, unless the request asks for a schema.
    """
    functions = _functions(body, responses)
    choice = body.get("tool_choice", "auto")
    if not functions or choice == "none" or (choice == "auto" and has_schema):
        return None
    named = _named(choice, responses)
    function = next((one for one in functions if one.get("name") == named), functions[0])
    parameters = function.get("parameters")
    arguments = instances.instance(parameters, seed, prompt) if isinstance(parameters, dict) else {}
    return ToolCall(str(function.get("name", "")), json_text.write(arguments).decode(), named is not None)


def _functions(body: Body, responses: bool) -> list[Body]:
    tools = body.get("tools")
    found = [tool for tool in tools or () if isinstance(tool, dict) and tool.get("type") == "function"]
    return found if responses else [tool["function"] for tool in found if isinstance(tool.get("function"), dict)]


def _named(choice: Any, responses: bool) -> str | None:
    if not isinstance(choice, dict):
        return None
    return choice.get("name") if responses else (choice.get("function") or {}).get("name")
