"""`.parquet`: the records of an Apache Parquet file, a few hundred at a time, read by Arrow.

Each column is read through its own buffer, so that memory depends neither on the file nor on its row groups.
Loaded when first needed: Arrow takes a quarter of a second and 90 MB.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shared.domain.errors import AppError, JobFault
from shared.domain.model import JobCode, RowBlock, block_of_one
from shared.prompt_file.lines import BLOCK, MAX_ROW
from shared.prompt_file.parquet_values import is_nested, shown, typed
from shared.prompt_file.ranges import RangedFile, Ranges

_BUFFER: Final = 512 * 1024
"""Bytes of a column that are read at once."""
_MAGIC: Final = b"PAR1"
_ENCRYPTED: Final = b"PARE"


class ParquetTable:
    """A Parquet file: its `schema` at once, its rows as they are asked for."""

    def __init__(self, ranges: Ranges) -> None:
        """Read the file's directory; JobFault: `empty_file`, `invalid_file`."""
        if not ranges.size:
            raise JobFault(JobCode.EMPTY_FILE, "The file is empty.")
        _check_magic(ranges)
        try:
            self._file = pq.ParquetFile(RangedFile(ranges), buffer_size=_BUFFER, pre_buffer=False)
            self.schema: pa.Schema = self._file.schema_arrow
        except AppError:
            raise
        except Exception as error:  # noqa: BLE001 - damaged files raise any kind
            raise _damaged(error) from None
        if twice := next((name for name, count in Counter(self.schema.names).items() if count > 1), None):
            raise JobFault(JobCode.INVALID_FILE, f'Two columns have the same name, "{twice[:60]}". Rename one of them.')

    def row_blocks(self) -> Iterator[RowBlock]:
        """Read the rows."""
        return _guarded(self._row_blocks())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the rows as Arrow holds them."""
        return _guarded(self._batches())

    def _row_blocks(self) -> Iterator[RowBlock]:
        names = tuple(self.schema.names)
        holds_nested = any(map(is_nested, self.schema.types))
        number = 1
        for batch in self._batches():
            columns = list(map(shown, batch.columns))
            typed_columns = [typed(array, values) for array, values in zip(batch.columns, columns, strict=True)]
            block = RowBlock(number, names, _rows(columns), _rows(typed_columns))
            if holds_nested:
                yield from map(block_of_one, block.records())
            else:
                yield block
            number += batch.num_rows

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """Read so few rows at a time that long texts do not fill the memory.

        Arrow reads dictionaries within lists and structs only from one group of rows after another.
        """
        for group in range(self._file.num_row_groups):
            for batch in self._file.iter_batches(batch_size=BLOCK, row_groups=[group], use_threads=False):
                if batch.nbytes > MAX_ROW:
                    yield from (batch.slice(place, 1) for place in range(batch.num_rows))
                else:
                    yield batch


def _rows(columns: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=True))


def _guarded[T](found: Iterator[T]) -> Iterator[T]:
    """Yield what is read; raise JobFault for whatever a damaged file makes Arrow raise."""
    try:
        yield from found
    except (AppError, MemoryError):
        raise
    except UnicodeDecodeError:
        message = "A text in the Parquet file is not valid UTF-8. Write it again with such columns as binary."
        raise JobFault(JobCode.NOT_UTF8, message) from None
    except Exception as error:  # noqa: BLE001 - damaged files raise any kind
        raise _damaged(error) from None


def _check_magic(ranges: Ranges) -> None:
    """Look at both ends, which tell more than Arrow's messages do."""
    start, end = ranges.read(0, 4), ranges.read(max(ranges.size - 4, 0), 4)
    if _ENCRYPTED in (start, end):
        raise _encrypted()
    if start != _MAGIC:
        raise JobFault(
            JobCode.INVALID_FILE,
            "The file is not Parquet, whatever its name says. Give it the extension of what it is.",
        )
    if end != _MAGIC:
        raise JobFault(JobCode.INVALID_FILE, "The Parquet file is cut short. Upload it again, whole.")


def _encrypted() -> JobFault:
    return JobFault(
        JobCode.INVALID_FILE,
        "The Parquet file is encrypted, and the app has no key. Write it again without encryption.",
    )


def _damaged(error: Exception) -> JobFault:
    if "decrypt" in str(error).lower():
        return _encrypted()  # Some columns only: the file begins and ends like others.
    # Arrow's messages may quote the file's bytes.
    return JobFault(
        JobCode.INVALID_FILE,
        f"The Parquet file is damaged ({type(error).__name__}). Write it again, and upload it whole.",
    )
