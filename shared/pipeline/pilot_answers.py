"""What the answers of a job's pilot say about the rest: how long they are, and which models gave them."""

from collections.abc import Iterable

from shared.domain.ledger import Entry, OutputTokens, history_key, outputs_by_key
from shared.domain.model import Batch


class PilotAnswers:
    """The output tokens of the answers to a collected pilot."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        """`batches` are those of the pilot."""
        done = list(batches)
        found = outputs_by_key(Entry("", outputs=batch.outputs) for batch in done)
        keys = {batch.model: history_key(batch.model) for batch in done}
        self.by_deployment = {name: found[key] for name, key in keys.items() if key in found}
        """The output tokens of each deployment that gave any answers."""
        self.answers = sum(outputs.answers for outputs in self.by_deployment.values())
        self._all = OutputTokens(sum(batch.usage.output_tokens for batch in done), self.answers)

    def mean(self, deployment: str) -> float | None:
        """Return the mean output tokens of a deployment's answers, or of all if the pilot has none of this one."""
        own = self.by_deployment.get(deployment)
        return self._all.mean if own is None else own.mean
