"""Prints the sweeps' counts at the end of a test run."""

import pytest

from tests.reliability import counts


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was found, disturbed and equal."""
    if not counts.NOTED:
        return
    terminalreporter.section("reliability: sweeps")
    for sweep, kind, numbers in counts.NOTED:
        shown = ", ".join(f"{number} {name}" for name, number in numbers.items())
        terminalreporter.write_line(f"{sweep} | {kind}: {shown}")
