"""The distinct schemas of one job, numbered in order of first appearance, and their file: a JSON line each."""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Final, overload

import msgspec

from shared import json_codec
from shared.answer_schema import AnswerSchema

PREPARED: Final = 64
"""How many prepared schemas are kept; a file may have a different one in each row."""


class SchemaList:
    """Numbers the schemas of a job while its requests are built.

    Only a hash and a number per schema stay in memory: each new one goes to `sink` as a line with its line end.
    """

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        self._sink = sink
        self._numbers: dict[bytes, int] = {}
        self.digests: list[bytes] = []
        """A hash of what each schema checks, whatever its name, by number."""
        self._prepared: OrderedDict[bytes, AnswerSchema] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def number_of(self, key: str | bytes, name: str, make: Callable[[], AnswerSchema]) -> int:
        """Return the number of the schema that `key` stands for, calling `make` if the key is new.

        Different keys share a number if name and schema are the same. Raises whatever `make` raises.
        """
        digest = _digest(key, name)
        number = self._numbers.get(digest)
        if number is None:
            number = self._numbers[digest] = self._add(name, self.prepared(key, name, make))
        return number

    def prepared(self, key: str | bytes, name: str, make: Callable[[], AnswerSchema]) -> AnswerSchema:
        """Return the schema that `key` stands for, making it again if it was not used for long."""
        digest = _digest(key, name)
        schema = self._prepared.get(digest)
        if schema is None:
            schema = self._prepared[digest] = make()
            if len(self._prepared) > PREPARED:
                self._prepared.popitem(last=False)
        else:
            self._prepared.move_to_end(digest)
        return schema

    def _add(self, name: str, schema: AnswerSchema) -> int:
        line = json_codec.dumps({"name": name, "checked": schema.checked})
        digest = _digest(line, "line")
        number = self._numbers.get(digest)
        if number is None:
            number = self._numbers[digest] = self._size
            self._size += 1
            self.digests.append(checked_digest(schema.checked))
            self._sink(line + b"\n")
        return number

    @staticmethod
    def read(lines: Iterable[bytes]) -> "StoredSchemas":
        """Read the file of a job's schemas, which were numbered in this order."""
        return StoredSchemas(lines)


def checked_digest(checked: object) -> bytes:
    """Hash what a schema checks, so that earlier answers to the same schema are found again."""
    return blake2b(json_codec.dumps(checked), digest_size=16).digest()


class StoredSchema(msgspec.Struct, frozen=True):
    """One schema of a job: its name, and what answers are checked with."""

    name: str
    checked: dict[str, object]


_decode: Final = msgspec.json.Decoder(StoredSchema).decode


def _stored(line: memoryview) -> StoredSchema:
    try:
        return _decode(line)
    except json_codec.UNREADABLE:
        # Half a surrogate pair.
        fields = json_codec.mapping(json_codec.loads(line))
        return StoredSchema(fields["name"], fields["checked"])


class StoredSchemas(Sequence[StoredSchema]):
    """A job's schemas by number. They are kept as bytes, and parsed when asked for."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._text = bytearray()
        self._starts = array("Q", [0])
        for line in lines:
            self.add(line)

    def add(self, line: bytes) -> None:
        """Add a line of the file; a blank one is passed over."""
        if line.strip():
            self._text += line
            self._starts.append(len(self._text))

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, number: int) -> StoredSchema: ...
    @overload
    def __getitem__(self, number: slice) -> list[StoredSchema]: ...
    def __getitem__(self, number: int | slice) -> StoredSchema | list[StoredSchema]:
        if isinstance(number, slice):
            return [self[index] for index in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(f"the job has {len(self)} schemas, and none with the number {number}")
        return _stored(memoryview(self._text)[self._starts[number] : self._starts[number + 1]])


def _digest(key: str | bytes, name: str) -> bytes:
    text = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    return blake2b(text, digest_size=16, key=blake2b(name.encode(), digest_size=32).digest()).digest()
