"""The errors that the service answers with, in its own envelope: `{"error": {"code": …, "message": …}}`."""

from typing import Any


class ServiceError(Exception):
    """The call is refused: an HTTP status, the service's error code, and a text for people."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the answer."""
        return {"error": {"code": self.code, "message": self.message}}


def invalid_payload(message: str) -> ServiceError:
    """Return the refusal of a request that is wrong in itself."""
    return ServiceError(400, "invalidPayload", message)


def not_found(what: str, identifier: str) -> ServiceError:
    """Return the refusal of a request for a file or a batch that doesn't exist."""
    return ServiceError(404, "notFound", f"The {what} '{identifier}' was not found.")


def not_implemented(what: str) -> ServiceError:
    """Return the answer to everything that this service does not emulate."""
    return ServiceError(
        501, "notImplemented", f"The local batch service does not emulate {what}. GET / lists what it does."
    )


DEFAULT_ANSWERS: dict[int, tuple[str, str]] = {
    400: ("invalidPayload", "The request is invalid."),
    401: (
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
        "active subscription and use a correct regional API endpoint for your resource.",
    ),
    403: ("403", "Access denied due to Virtual Network/Firewall rules."),
    404: ("404", "Resource not found"),
    408: ("Timeout", "The operation was timeout."),
    409: ("conflict", "The operation conflicts with the current state of the resource."),
    410: ("410", "The model of this deployment has been retired. Please deploy another model."),
    429: ("429", "Requests have exceeded the call rate limit of your current tier. Please retry later."),
    500: ("InternalServerError", "The server had an error while processing your request. Sorry about that!"),
    503: ("serviceUnavailable", "The service is temporarily unable to process your request. Please try again later."),
}


def default_error(status: int) -> ServiceError:
    """Return the service's usual refusal with that HTTP status."""
    code, message = DEFAULT_ANSWERS.get(status, (str(status), f"The request was answered with status {status}."))
    return ServiceError(status, code, message)
