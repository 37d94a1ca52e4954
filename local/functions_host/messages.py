"""The messages that the functions runtime exchanges with its host, as plain objects.

In Azure these are protobuf messages (FunctionRpc.proto of Azure/azure-functions-language-worker-protobuf). The runtime
takes their classes from its host and only builds them by keyword and reads their attributes, so plain classes do.
"""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any


class Message:
    """A message with whatever fields it was built with."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class TypedData(Message):
    """A value of one kind, named by the field that is set: string, bytes, json, http, model_binding_data, ..."""

    def WhichOneof(self, _group: str) -> str | None:
        """Return the name of the field that is set, None for an empty value."""
        return next(iter(vars(self)), None)


class ParameterBinding(Message):
    """A named value: an argument of a function, or one of its outputs."""

    def WhichOneof(self, _group: str) -> str:
        """Return "data": values always travel in the message, never through shared memory."""
        return "data"


class BindingInfo(Message):
    """One binding of a function; the constants are the protobuf enums' values."""

    inout, out, undefined = 2, 1, 0


class StatusResult(Message):
    """Whether a request succeeded, and the exception if not."""

    Failure, Success = 0, 1


class RpcHttpCookie(Message):
    """A cookie that a function sets."""

    SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


_PLAIN = (
    "FunctionEnvironmentReloadResponse FunctionLoadResponse FunctionMetadataResponse InvocationResponse NullableBool "
    "NullableDouble NullableString NullableTimestamp RpcException RpcFunctionMetadata RpcHttp RpcRetryOptions "
    "Timestamp WorkerInitResponse WorkerMetadata"
)
PROTOS = SimpleNamespace(
    TypedData=TypedData,
    ParameterBinding=ParameterBinding,
    BindingInfo=BindingInfo,
    StatusResult=StatusResult,
    RpcHttpCookie=RpcHttpCookie,
    **dict.fromkeys(_PLAIN.split(), Message),
)


def request(verb: str, **fields: Any) -> Message:
    """Build the request message that the runtime's coroutine for `verb` takes."""
    return Message(request=Message(**{verb: Message(**fields)}), properties={"host": "127.0.0.1", "protos": PROTOS})
