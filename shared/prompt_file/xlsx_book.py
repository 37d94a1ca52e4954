"""What an `.xlsx` holds besides cells: its sheets, where their parts lie, how numbers are shown, and Excel tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from shared.prompt_file.xlsx_dates import DateFormat, date_format_of
from shared.prompt_file.xlsx_package import Package

_USUAL_PLACE: Final = "xl/workbook.xml"
_AREA: Final = re.compile(r"\$?([A-Za-z]+)\$?([0-9]+):\$?[A-Za-z]+\$?([0-9]+)")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of cells."""

    name: str
    path: str
    visible: bool


@dataclass(frozen=True, slots=True)
class ExcelTable:
    """An area of a sheet that Excel treats as a table: its first row, and its rows of totals."""

    first_row: int
    totals: range


class Book:
    """The workbook of a package. May raise whatever a damaged part makes Python's modules raise."""

    def __init__(self, package: Package) -> None:
        """Find the parts by their relationships: programs other than Excel put them anywhere."""
        self._package = package
        path = next((part.path for part in package.relations("") if part.kind == "officeDocument"), _USUAL_PLACE)
        book = package.xml(path)
        parts = package.relations(path)
        sheet_parts = {part.id: part.path for part in parts if part.kind == "worksheet"}
        self.sheets = [
            Sheet(element.attrib["name"], sheet_parts[relation], element.attrib.get("state", "visible") == "visible")
            for element in _all(book, "sheet")
            if (relation := _relation_of(element)) in sheet_parts
        ]
        self.texts_path = next((part.path for part in parts if part.kind == "sharedStrings"), "")
        self._styles_path = next((part.path for part in parts if part.kind == "styles"), "")
        self.counts_from_1904 = any(
            element.attrib.get("date1904") in ("1", "true") for element in _all(book, "workbookPr")
        )

    def date_formats(self) -> list[DateFormat | None]:
        """List for each style of cells how it shows a number as a date, None where it does not."""
        if self._styles_path not in self._package:
            return []
        styles = self._package.xml(self._styles_path)
        codes = {
            element.attrib["numFmtId"]: element.attrib.get("formatCode", "")
            for formats in _all(styles, "numFmts")
            for element in formats
        }
        ids = [style.attrib.get("numFmtId", "0") for styles_ in _all(styles, "cellXfs") for style in styles_]
        known = {id_: date_format_of(int(id_), codes.get(id_)) for id_ in set(ids)}
        return [known[id_] for id_ in ids]

    def tables(self, sheet: Sheet) -> list[ExcelTable]:
        """List the Excel tables of a sheet."""
        found = []
        for part in self._package.relations(sheet.path):
            if part.kind == "table" and part.path in self._package:
                table = self._package.xml(part.path).attrib
                if area := _AREA.fullmatch(table.get("ref", "")):
                    last = int(area[3])
                    found.append(
                        ExcelTable(int(area[2]), range(last + 1 - int(table.get("totalsRowCount", "0")), last + 1))
                    )
        return found


def _all(part: Element, tag: str) -> Iterator[Element]:
    """Find elements by their name without its namespace: strict workbooks have another one."""
    return (element for element in part.iter() if element.tag.rpartition("}")[2] == tag)


def _relation_of(sheet: Element) -> str:
    return next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
