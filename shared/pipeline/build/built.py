"""What building a job found: everything that goes into the job's row."""

import re
from collections import Counter
from dataclasses import dataclass, field

from shared.domain.estimate import Estimate
from shared.domain.model import Batch

WARNINGS = 20
WARNING_LENGTH = 400
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(slots=True)
class Built:
    """What building found: everything that goes into the job's row."""

    batches: list[Batch] = field(default_factory=list)
    unsent: Counter[str] = field(default_factory=Counter)
    total: int = 0
    kept: int = 0
    reused: int = 0
    """Those of the kept ones that an earlier job paid for which this one does not retry."""
    warnings: list[str] = field(default_factory=list)
    first_fault: str = ""
    """The first row that is invalid, and why."""
    estimate: Estimate = field(default_factory=lambda: Estimate(0))

    @property
    def first_warnings(self) -> tuple[str, ...]:
        """As many warnings as a job's row has room for, which a file's control characters would take sixfold."""
        shown = (warning[:WARNING_LENGTH] for warning in self.warnings[:WARNINGS])
        return tuple(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", warning) for warning in shown)

    @property
    def input_tokens(self) -> int:
        """An estimate of what will be sent."""
        return sum(batch.input_tokens for batch in self.batches)
