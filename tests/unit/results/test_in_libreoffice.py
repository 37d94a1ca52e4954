"""LibreOffice opens the result tables as they are meant. Skipped where it is not installed: it is 500 MB."""

import csv
import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shared.answers.outcomes import read_line, to_line
from shared.domain.model import FailedRow, Outcome, RowCode
from shared.results.answer_columns import fields_of
from shared.results.files import RESULTS_CSV, RESULTS_XLSX, Layout, ResultFiles

OFFICE = shutil.which("soffice") or shutil.which("libreoffice")

pytestmark = pytest.mark.skipif(OFFICE is None, reason="LibreOffice is not installed")

ANSWERS: list[dict[str, Any]] = [
    {"name": 'Zoë; "quoted", and\nbroken', "height": 1454, "share": 0.5, "open": True, "tags": ["a", "b"]},
    {"name": "=1+1", "height": -5, "share": -0.25, "open": False, "tags": []},
    {"name": "00123", "height": 0, "share": 0.0, "open": True, "tags": ["=x"]},
]
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "height": {"type": "integer"},
        "share": {"type": "number"},
        "open": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
HEADER = ["custom_id", "Note", "name", "height", "share", "open", "tags", "status", "error_code", "error_message"]


def _written(name: str) -> bytes:
    out = io.BytesIO()
    files = ResultFiles(Layout(own=["Note"], fields=fields_of(SCHEMA)), {name: out.write})
    for number, answer in enumerate(ANSWERS, 1):
        outcome = Outcome(row=number, custom_id=f"row-{number}", output=answer, attempts=1)
        files.add_results([read_line(to_line(outcome))], [{"Note": "日本"}])
    failed = Outcome(row=4, custom_id="row-4", code=RowCode.REFUSAL, message="No, thanks", attempts=1)
    files.add_error(FailedRow(custom_id="row-4", input={"Note": "@cmd"}, outcome=failed, source={}))
    files.close()
    return out.getvalue()


def _seen(folder: Path, name: str) -> list[list[str]]:
    """The table as LibreOffice shows it after opening the file: shown values, not formulas."""
    (folder / name).write_bytes(_written(name))
    source = "CSV:44,34,76,1" if name.endswith(".csv") else None
    command = [str(OFFICE), "--headless", f"-env:UserInstallation={(folder / 'profile').as_uri()}"]
    command += [f"--infilter={source}"] if source else []
    command += ["--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false", "--outdir"]
    subprocess.run([*command, str(folder / "out"), str(folder / name)], check=True, capture_output=True, timeout=150)
    text = (folder / "out" / f"{Path(name).stem}.csv").read_text("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", [RESULTS_CSV, RESULTS_XLSX])
def test_libreoffice_shows_every_cell_as_it_was_meant(name: str, tmp_path: Path) -> None:
    table = _seen(tmp_path, name)

    assert table[0] == HEADER
    assert [row[0] for row in table[1:]] == ["row-1", "row-2", "row-3", "row-4"]
    assert table[1][1] == "日本"
    assert table[1][2].replace("\r\n", "\n") == ANSWERS[0]["name"]
    assert table[2][2].lstrip("'") == "=1+1"
    assert table[4][1].lstrip("'") == "@cmd"
    assert [row[3] for row in table[1:4]] == ["1454", "-5", "0"]
    assert [row[7:9] for row in table[1:]] == [["ok", ""]] * 3 + [["error", "refusal"]]
