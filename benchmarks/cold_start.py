"""From starting Python to all functions indexed, beside an app of one function that does nothing."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, RUNS, compare

_INDEX = (
    "import sys; from pathlib import Path; from local.functions_host.worker import Worker;"
    " Worker().index(Path(sys.argv[1]))"
)
_EMPTY_APP = """
import azure.functions as func
app = func.FunctionApp()

@app.route(route="nothing")
def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("")
"""
PACKAGES = ("openai", "genai_prices", "pyarrow", "pypdfium2", "PIL", "pybase64", "sqlite3", "tiktoken")
ROOMS = ("shared.requests", "shared.documents", "shared.pipeline.build", "shared.pipeline.assemble")
LATER = (*PACKAGES, *ROOMS)
"""What only some functions need. Not among them: azure.identity, which the blob binding itself loads, and
azure.storage.queue, which the local host does."""


def measured(runs: int = RUNS) -> dict[str, Any]:
    """Start and index by turns; nothing that could be loaded later may be loaded."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "function_app.py").write_text(_EMPTY_APP, "utf-8")
        found = compare(lambda: _index(ROOT), lambda: _index(Path(folder)), runs, clear=lambda: None)
    figures = found.to_figures(1)
    loaded = subprocess.run(
        [sys.executable, "-c", f"{_INDEX}; print(*[name for name in {LATER!r} if name in sys.modules])", str(ROOT)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    wanted = ("seconds", "cpu_seconds", "floor_cpu_seconds", "ratio", "ratio_lowest", "ratio_highest", "runs")
    return {**{name: figures[name] for name in wanted}, "loaded_too_early": loaded.stdout.split()}


def _index(app: Path) -> None:
    subprocess.run([sys.executable, "-c", _INDEX, str(app)], cwd=ROOT, check=True)
