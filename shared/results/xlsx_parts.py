"""What results.xlsx holds besides its cells: the package's parts and the styles (ECMA-376, parts 1 and 2)."""

from enum import IntEnum
from typing import Final


class Style(IntEnum):
    """How a cell is shown: its place in the list of styles."""

    PLAIN = 0
    WRAPPED = 1
    DATE = 2
    MOMENT = 3
    FINE_MOMENT = 4
    TIME = 5
    FINE_TIME = 6
    DURATION = 7
    TRUTH = 8
    NUMBER = 9
    HEADER = 20


FAILED: Final = 10
"""Added to a style: the same in a row that failed."""

_FORMATS: Final = {
    Style.DATE: r"yyyy\-mm\-dd",
    Style.MOMENT: r"yyyy\-mm\-dd\ hh:mm:ss",
    Style.FINE_MOMENT: r"yyyy\-mm\-dd\ hh:mm:ss.000",
    Style.TIME: "hh:mm:ss",
    Style.FINE_TIME: "hh:mm:ss.000",
    Style.DURATION: "[h]:mm:ss",
    # Excel shows truths as such whatever the format, LibreOffice as numbers.
    Style.TRUTH: "&quot;TRUE&quot;;&quot;TRUE&quot;;&quot;FALSE&quot;",
}
_FIRST_FORMAT: Final = 164
"""The first number of a format that is not built in."""

_AT_THE_RIGHT: Final = ' horizontal="right" indent="1"'
"""Without the indent, a number would touch a text in the next column."""
_SIDES: Final = {Style.PLAIN: "", Style.WRAPPED: "", Style.TRUTH: ' horizontal="center"'}

XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"

PARTS: Final = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>"
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{MAIN}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="results" sheetId="1" r:id="rId1"/></sheets>'
        "</workbook>"
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        "</Relationships>"
    ),
    "xl/styles.xml": "",
}


def _styles() -> str:
    formats = "".join(
        f'<numFmt numFmtId="{_FIRST_FORMAT + style}" formatCode="{code}"/>' for style, code in _FORMATS.items()
    )
    ordinary = [style for style in Style if style is not Style.HEADER]
    cells = [_cell_format(style, font, fill) for font, fill in ((0, 0), (2, 2)) for style in ordinary]
    cells.append('<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>')
    return (
        f'<styleSheet xmlns="{MAIN}"><numFmts count="{len(_FORMATS)}">{formats}</numFmts>'
        '<fonts count="3"><font><sz val="11"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/></font>'
        '<font><sz val="11"/><color rgb="FF9C0006"/><name val="Calibri"/></font></fonts>'
        '<fills count="3"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill>'
        '<fill><patternFill patternType="solid"><fgColor rgb="FFFFC7CE"/><bgColor indexed="64"/></patternFill>'
        "</fill></fills>"
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(cells)}">{"".join(cells)}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
        "</styleSheet>"
    )


def _cell_format(style: Style, font: int, fill: int) -> str:
    number = _FIRST_FORMAT + style if style in _FORMATS else 0
    wrap = ' wrapText="1"' if style is Style.WRAPPED else ""
    side = _SIDES.get(style, _AT_THE_RIGHT)
    return (
        f'<xf numFmtId="{number}" fontId="{font}" fillId="{fill}" borderId="0" xfId="0" applyNumberFormat="1" '
        f'applyFont="1" applyFill="1" applyAlignment="1"><alignment vertical="top"{side}{wrap}/></xf>'
    )


PARTS["xl/styles.xml"] = _styles()
