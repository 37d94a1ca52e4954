"""How the tests read a prompt file: whole, from bytes that are cut as they ask."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.domain.errors import JobFault
from shared.domain.model import JobCode, Record
from shared.prompt_file import form_of, open_prompt_file


@dataclass
class Reading:
    """All that came out of a prompt file; `fault` is what ended it, None where it was read to its end."""

    headers: tuple[str, ...] | None = None
    records: list[Record] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    fault: JobCode | None = None
    message: str = ""

    @property
    def values(self) -> list[dict[str, Any]]:
        """The records' values; none of them may have a fault."""
        assert self.fault is None, self.message
        assert not [record.fault for record in self.records if record.fault]
        assert [record.row for record in self.records] == [*range(1, len(self.records) + 1)]
        return [dict(record.values) for record in self.records]


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut bytes into pieces of one size."""
    return (data[start : start + size] for start in range(0, len(data), size))


def read(name: str, data: bytes, size: int = 1 << 20) -> Reading:
    """Read a file of this name, its bytes in pieces of `size`."""
    form = form_of(name)
    assert form is not None
    reading = Reading()
    try:
        file = open_prompt_file(form, pieces(data, size))
        reading.headers = file.headers
        reading.records.extend(file.records)
        reading.notes = tuple(file.notes)
    except JobFault as fault:
        reading.fault, reading.message = fault.code, str(fault)
    return reading
