"""What a job is estimated to use and cost, from its requests and from what earlier answers were like."""

from collections.abc import Mapping, Sequence

from shared.domain.estimate import Basis, Estimate
from shared.domain.ledger import Ledger, OutputTokens, history_key
from shared.domain.model import RequestBlock
from shared.money.estimate import estimate
from shared.money.sample import RequestSample
from shared.money.tokens import token_counter
from shared.settings import Settings

MOST_KEYS = 120
"""How many schemas' earlier answers are looked up; a job with more of them counts the others by their caps."""


class RequestSamples:
    """A job's requests by deployment, measured while they are built."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._samples: dict[str, RequestSample] = {}

    def add(self, block: RequestBlock) -> None:
        """Measure requests that will be sent."""
        sample = self._samples.get(block.model)
        if sample is None:
            counter = token_counter(_model_behind(self._settings, block.model, None))
            sample = self._samples[block.model] = RequestSample(counter)
        sample.add(block.wording or block.text, block.schemas, block.image_tokens)

    @property
    def counted_by_bytes(self) -> list[str]:
        """The deployments whose models' encoding is not known, so that tokens are estimated by bytes."""
        return [deployment for deployment, sample in self._samples.items() if not sample.is_exact]

    def estimate(self, ledger: Ledger, schemas: Sequence[bytes] | Mapping[int, bytes]) -> Estimate:
        """Estimate all requests; `schemas` are hashes of what the job's schemas check, by number."""
        keys = self._history_keys(schemas)
        found = ledger.output_tokens(list(dict.fromkeys(keys.values()))[:MOST_KEYS]) if keys else {}

        def mean(deployment: str, schema: int) -> float | None:
            outputs = found.get(keys[deployment, schema])
            return None if outputs is None else outputs.mean

        def model(deployment: str) -> str:
            return _model_behind(self._settings, deployment, found.get(keys[deployment, None]))

        return estimate(self._samples, model, mean, Basis.HISTORY)

    def _history_keys(self, schemas: Sequence[bytes] | Mapping[int, bytes]) -> Mapping[tuple[str, int | None], str]:
        keys: dict[tuple[str, int | None], str] = {}
        for deployment, sample in self._samples.items():
            keys[deployment, None] = history_key(deployment)
            for number in sample.by_schema:
                keys[deployment, number] = schema_key(deployment, schemas[number] if number >= 0 else b"")
        return keys


def schema_key(deployment: str, digest: bytes) -> str:
    """Name what a deployment's answers to one schema are remembered by; an empty digest stands for plain text."""
    return history_key(deployment, digest or b"text")


def _model_behind(settings: Settings, deployment: str, outputs: OutputTokens | None) -> str:
    """Find a deployment's model: as it is set, as its earlier answers named it, or by the deployment's own name."""
    told = settings.deployment_models.get(deployment) or (outputs.model if outputs else "")
    return told or deployment.removesuffix("-batch")
