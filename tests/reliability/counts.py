"""What the sweeps counted, for the summary at the end of a test run."""

NOTED: list[tuple[str, str, dict[str, int]]] = []


def note(sweep: str, kind: str, **numbers: int) -> None:
    """Remember a sweep's numbers."""
    NOTED.append((sweep, kind, numbers))
