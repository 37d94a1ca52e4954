"""Values → cells of results.xlsx: none is ever read as a formula or a link, and none loses a digit."""

import base64
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from shared.results.answer_columns import cell_of
from shared.results.half_pairs import without_half_pairs
from shared.results.xlsx_parts import Style

TEXT_LIMIT: Final = 32_767
"""Characters of a cell at most (Excel's specifications and limits)."""

_EXACT: Final = 10**15
"""Excel keeps 15 digits of a number: longer whole numbers are written as texts."""

_SPECIAL: Final = re.compile("[&<>\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_x")
_ESCAPE: Final = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f]")

_FIRST_DAY: Final = date(1900, 3, 1)
"""From here on Excel's count of days is right; before it has a day that never was."""
_DAY_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - cells know no zone
_DAY: Final = timedelta(days=1)


class Shown(NamedTuple):
    """A value as its cell holds it: a style, the XML of type and value, and the text where it is one."""

    style: Style
    content: str
    text: str = ""
    is_cut: bool = False


def shown(value: object) -> Shown | None:
    """Write a value as a cell; None for an empty one."""
    if isinstance(value, str):
        return text_cell(value)
    if value is None:
        return None
    if isinstance(value, bool):
        return Shown(Style.TRUTH, f' t="b"><v>{value:d}</v>')
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < _EXACT):
        return Shown(Style.NUMBER, f"><v>{value!r}</v>")
    if isinstance(value, date | time | timedelta):
        return _moment(value)
    if isinstance(value, Decimal) and value.is_finite() and len(value.normalize().as_tuple().digits) <= 15:
        return Shown(Style.NUMBER, f"><v>{value}</v>")
    if isinstance(value, bytes):
        return text_cell(base64.b64encode(value).decode())
    return text_cell(str(value if isinstance(value, int | Decimal) else cell_of(value)))


def text_cell(value: str) -> Shown:
    """Write a text as a cell, with line feeds for line ends, as Excel knows no others."""
    text, is_cut = _fitting(value.replace("\r\n", "\n").replace("\r", "\n") if "\r" in value else value)
    content = f' t="inlineStr"><is><t xml:space="preserve">{_escaped(text)}</t></is>'
    return Shown(Style.PLAIN, content, text, is_cut)


def _moment(value: date | time | timedelta) -> Shown:
    """Write a date, a time or a duration as Excel's number of days; what Excel cannot show as text."""
    if isinstance(value, timedelta):
        return Shown(Style.DURATION, f"><v>{value / _DAY!r}</v>")
    if isinstance(value, time):
        if value.tzinfo is not None:
            return text_cell(value.isoformat())
        passed = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
        return Shown(Style.FINE_TIME if value.microsecond else Style.TIME, f"><v>{passed / _DAY!r}</v>")
    if not isinstance(value, datetime):
        if value < _FIRST_DAY:
            return text_cell(value.isoformat())
        return Shown(Style.DATE, f"><v>{(value - _DAY_ZERO.date()).days}</v>")
    if value.tzinfo is not None or value.date() < _FIRST_DAY:
        return text_cell(value.isoformat(" "))
    style = Style.FINE_MOMENT if value.microsecond else Style.MOMENT
    return Shown(style, f"><v>{(value - _DAY_ZERO) / _DAY!r}</v>")


def _fitting(text: str) -> tuple[str, bool]:
    """Cut a text to what a cell holds, counted in UTF-16 units as Excel does; whether anything was cut."""
    if len(text) <= TEXT_LIMIT // 2:
        return text, False
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * TEXT_LIMIT:
        return text, False
    return units[: 2 * TEXT_LIMIT].decode("utf-16-le", "ignore"), True


def _escaped(text: str) -> str:
    """Write a text as XML; control characters as `_x0007_`, as Excel does, and what would be read as such escaped."""
    if _SPECIAL.search(text) is None:
        return text
    text = _ESCAPE.sub("_x005F_", without_half_pairs(text)).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CONTROL.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
