"""The figures as one table."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

type Figures = dict[str, Any]

_IN_COLUMNS = {
    "of",
    "rows",
    "us_per_row",
    "floor_us_per_row",
    "ratio",
    "ratio_lowest",
    "ratio_highest",
    "runs",
    "rows_per_second",
    "peak_mb",
    "bytes_in",
    "bytes_out",
    "cpu_seconds",
    "floor_cpu_seconds",
    "seconds",
}


def show(figures: Sequence[Figures]) -> None:
    """Print the table."""
    table = Table(title="StructuredBatch, CPU of the app beside its floor")
    for name in ("what", "rows", "CPU s", "floor s", "ratio (spread)", "rows/s", "peak MB", "MB in/out", "also"):
        table.add_column(name, justify="left" if name in ("what", "also") else "right")
    for found in figures:
        table.add_row(*_cells(found))
    Console(width=150).print(table)


def line(found: Figures) -> str:
    """Return one figure's line while others are still measured."""
    return "  ".join(cell for cell in _cells(found) if cell)


def _cells(found: Figures) -> list[str]:
    ratio = ""
    if "ratio" in found:
        ratio = f"{found['ratio']:.2f} ({found['ratio_lowest']:.2f} to {found['ratio_highest']:.2f})"
    sizes = f"{found['bytes_in'] / 1e6:.0f}/{found['bytes_out'] / 1e6:.0f}" if "bytes_in" in found else ""
    return [
        str(found["of"]),
        f"{found['rows']:,}" if "rows" in found else "",
        _number(found.get("cpu_seconds"), 2),
        _number(found.get("floor_cpu_seconds"), 2),
        ratio,
        _number(found.get("rows_per_second"), 0),
        _number(found.get("peak_mb"), 0),
        sizes,
        ", ".join(f"{name} {_short(value)}" for name, value in found.items() if name not in _IN_COLUMNS),
    ]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _short(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
