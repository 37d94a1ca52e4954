"""The cost of a step: CPU of the process and its children, time, and peak memory; and ratios to a floor."""

import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RUNS = 5
"""Warm runs of a comparison; one more comes first, and does not count."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took, in seconds; `cpu` is user and system time, children included."""

    cpu: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A step and its floor, run by turns."""

    step: Sequence[Cost]
    floor: Sequence[Cost]

    def ratios(self) -> list[float]:
        """Return the CPU of the step by that of the floor that was run right before it, smallest first."""
        return sorted(mine.cpu / bare.cpu for mine, bare in zip(self.step, self.floor, strict=True))

    def to_figures(self, rows: int) -> dict[str, Any]:
        """Return the figures for a report's line."""
        ratios = self.ratios()
        cpu = statistics.median(cost.cpu for cost in self.step)
        floor = statistics.median(cost.cpu for cost in self.floor)
        return {
            "rows": rows,
            "cpu_seconds": cpu,
            "seconds": statistics.median(cost.seconds for cost in self.step),
            "floor_cpu_seconds": floor,
            "us_per_row": cpu / rows * 1e6,
            "floor_us_per_row": floor / rows * 1e6,
            "rows_per_second": rows / statistics.median(cost.seconds for cost in self.step),
            "ratio": statistics.median(ratios),
            "ratio_lowest": ratios[0],
            "ratio_highest": ratios[-1],
            "runs": len(ratios),
        }


def cpu_seconds() -> float:
    """Return the user and system time of this process and of the children that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def cost_of(step: Callable[[], object]) -> Cost:
    """Run a step once."""
    gc.collect()
    cpu, start = cpu_seconds(), time.perf_counter()
    step()
    return Cost(cpu_seconds() - cpu, time.perf_counter() - start)


def compare(
    step: Callable[[], object], floor: Callable[[], object], runs: int = RUNS, *, clear: Callable[[], object]
) -> Comparison:
    """Run a step and its floor by turns, once for warming up and then `runs` times.

    `clear` takes away what the step wrote the last time, which costs neither of them anything.
    """
    pairs = []
    for _ in range(runs + 1):
        clear()
        pairs.append((cost_of(floor), cost_of(step)))
    pairs = pairs[1:]
    return Comparison([step for _, step in pairs], [floor for floor, _ in pairs])


def peak_mb() -> float:
    """Return the most memory that this process ever held, imports included, in MB (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss, which a child takes over from its parent.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def in_child(module: str, function: str, *arguments: object, environment: dict[str, str] | None = None) -> Any:
    """Call `benchmarks.<module>.<function>` in a process of its own; what it returns comes back as JSON."""
    command = [sys.executable, "-m", "benchmarks.child", module, function, json.dumps(arguments)]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, check=True, env={**os.environ, **(environment or {})}
    )
    return json.loads(done.stdout.splitlines()[-1])
