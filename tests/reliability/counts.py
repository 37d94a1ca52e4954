"""What the sweeps counted, printed at the end of a test run: also of one that is spread over several processes."""

from collections.abc import Generator

import pytest

PROPERTY = "sweep"
_noted: list[tuple[str, str, dict[str, int]]] = []


def note(sweep: str, kind: str, **numbers: int) -> None:
    """Remember a sweep's numbers; they travel with the report of the test that runs."""
    _noted.append((sweep, kind, numbers))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give a test's report the numbers that were noted."""
    report = yield
    if call.when == "call":
        report.user_properties.extend((PROPERTY, noted) for noted in _noted)
        _noted.clear()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was found, disturbed and equal."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    found = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    if not found:
        return
    terminalreporter.section("reliability: sweeps")
    for sweep, kind, numbers in sorted(found, key=lambda noted: noted[:2]):
        shown = ", ".join(f"{number} {name}" for name, number in numbers.items())
        terminalreporter.write_line(f"{sweep} | {kind}: {shown}")
