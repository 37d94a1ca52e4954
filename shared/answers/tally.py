"""The outcomes of one batch, added up: rows, errors by code, tokens, cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.answers.failures import parameter_in
from shared.answers.outcomes import OutcomeLine
from shared.domain.ledger import OutputTokens
from shared.domain.model import RowCode, Usage
from shared.money.prices import price_usd

MOST_SCHEMAS: Final = 50
"""Schemas by which the output tokens of one batch are counted; those of further schemas are not remembered."""


@dataclass(slots=True)
class Tally:
    """The sums over the outcomes of one batch.

    `models` maps deployments to their models, for the prices: answers of the Responses route name only the deployment.
    If that is the `deployment` of a batch whose rows use another name, `model`, they are priced by that name.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    deployment: str = ""
    model: str = ""
    rows: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_rows: int = 0
    outputs: dict[int, OutputTokens] = field(default_factory=dict)
    """Output tokens of the answers, by the number of their schema."""
    _refused: int = 0
    _refusals: set[str] = field(default_factory=set)

    def add(self, lines: Sequence[OutcomeLine]) -> None:
        """Add outcomes."""
        self.rows += len(lines)
        self._add_failed([line for line in lines if line.code is not None])
        self.cached_tokens += sum([line.cached_tokens for line in lines])
        for model in {line.model for line in lines}:
            paid = [line for line in lines if line.usage is not None and line.model == model]
            if paid:
                named = self._named(model)
                self._add_paid(named, [line.usage for line in paid if line.usage is not None])
                self._add_outputs(named, paid)

    def _named(self, model: str) -> str:
        """Return what answers are priced and remembered by: a deployment's name says nothing of its model."""
        is_known = model in self.models or price_usd(model, [(0, 0)]) is not None
        return self.model if model == self.deployment and not is_known else model

    def _add_failed(self, lines: Sequence[OutcomeLine]) -> None:
        self.codes.update([str(line.code) for line in lines])
        messages = [line.message for line in lines if line.status == 400 and line.code == RowCode.REQUEST_FAILED]
        self._refused += len(messages)
        # Two different messages are enough to know that not all rows were refused for the same reason.
        self._refusals = set([*self._refusals, *set(messages)][:2])

    @property
    def usage(self) -> Usage:
        """The tokens that were paid for."""
        return Usage(self.input_tokens, self.output_tokens, self.cached_tokens)

    @property
    def refused_parameter(self) -> str:
        """The parameter for which the service refused all rows, with the same message; empty if it did not."""
        alike = self._refused == self.rows and len(self._refusals) == 1
        return parameter_in(next(iter(self._refusals))) if alike else ""

    def _add_paid(self, model: str, paid: Sequence[tuple[int, int]]) -> None:
        self.input_tokens += sum([read for read, _written in paid])
        self.output_tokens += sum([written for _read, written in paid])
        price = price_usd(self.models.get(model, model), paid)
        self.cost_usd += price or 0.0
        self.unpriced_rows += len(paid) if price is None else 0

    def _add_outputs(self, model: str, paid: Sequence[OutcomeLine]) -> None:
        for schema in {line.schema for line in paid}:
            if schema not in self.outputs and len(self.outputs) >= MOST_SCHEMAS:
                continue
            written = [line.usage[1] for line in paid if line.schema == schema and line.usage is not None]
            known = self.outputs.get(schema, OutputTokens())
            self.outputs[schema] = known + OutputTokens(sum(written), len(written), model)

    @property
    def succeeded(self) -> int:
        """Rows with a result."""
        return self.rows - self.codes.total()
