"""What keeps one row from being sent, raised where it is found."""

from shared.domain.model import Fault, RowCode


class UnsendableError(Exception):
    """A row that cannot be sent; `fault` says why."""

    def __init__(self, code: RowCode, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(code, message)


def invalid_request(message: str) -> UnsendableError:
    """Return the fault of a ready-made request, to be raised."""
    return UnsendableError(RowCode.INVALID_REQUEST, f"The batch request cannot be sent: {message}")


def invalid_format(message: str) -> UnsendableError:
    """Return the fault of a ready-made request's response format, to be raised."""
    return UnsendableError(RowCode.INVALID_SCHEMA, f"The response format cannot be sent: {message}")
