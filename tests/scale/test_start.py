"""What a start loads: nothing that only some functions need, or only later."""

import subprocess
import sys

from benchmarks.cold_start import LATER
from testing.paths import PROJECT


def test_indexing_loads_nothing_that_is_needed_later_only() -> None:
    late = (*LATER, "azure.storage.queue")
    code = f"import sys, function_app; print([name for name in {late!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
