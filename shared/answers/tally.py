"""What the outcomes of one batch add up to: rows, errors by code, tokens, cost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.answers.outcomes import OutcomeLine
from shared.money.prices import price_usd


@dataclass(slots=True)
class Tally:
    """What the outcomes of one batch add up to."""

    rows: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_rows: int = 0

    def add(self, some: Sequence[OutcomeLine]) -> None:
        """Count outcomes."""
        self.rows += len(some)
        self.codes.update([line.code for line in some if line.code is not None])
        for model in {line.model for line in some}:
            paid = [line.usage for line in some if line.usage is not None and line.model == model]
            self._add_paid(model, paid)

    def _add_paid(self, model: str, paid: Sequence[tuple[int, int]]) -> None:
        self.input_tokens += sum([read for read, _written in paid])
        self.output_tokens += sum([written for _read, written in paid])
        price = price_usd(model, paid)
        self.cost_usd += price or 0.0
        self.unpriced_rows += len(paid) if price is None else 0

    @property
    def succeeded(self) -> int:
        """Rows with a result."""
        return self.rows - self.codes.total()
