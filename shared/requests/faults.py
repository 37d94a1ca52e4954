"""What keeps one row from being sent, raised where it is found."""

from shared.domain.model import Fault, RowCode


class UnsendableError(Exception):
    """A row that cannot be sent; `fault` says why."""

    def __init__(self, code: RowCode, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(code, message)
