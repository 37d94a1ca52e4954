"""What a job is estimated to use and cost, from its requests and from what earlier answers were like."""

from collections.abc import Mapping, Sequence

from shared.domain.estimate import Basis, Estimate
from shared.domain.ledger import Ledger, OutputTokens, history_key
from shared.domain.model import RequestBlock, RestOfJob
from shared.money.caps import UNCAPPED_OUTPUT_TOKENS
from shared.money.estimate import estimate
from shared.money.sample import RequestSample
from shared.money.tokens import token_counter
from shared.pipeline.build.built import Built
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
            counter = token_counter(model_behind(self._settings, block.model, None))
            sample = self._samples[block.model] = RequestSample(counter)
        sample.add(block.wording or block.text, block.schemas, block.image_tokens)

    @property
    def counted_by_bytes(self) -> list[str]:
        """The deployments whose models' encoding is not known, so that tokens are estimated by bytes."""
        return [deployment for deployment, sample in self._samples.items() if not sample.is_exact]

    def rest(self) -> dict[str, RestOfJob]:
        """Sum the requests up by deployment, to be estimated once a pilot has shown how long the answers are."""
        return {
            deployment: RestOfJob(requests=sample.requests, input_tokens=sample.input_tokens, cap=sample.mean_cap)
            for deployment, sample in self._samples.items()
        }

    def estimate(
        self, ledger: Ledger, schemas: Sequence[bytes] | Mapping[int, bytes], uncapped: float | None = None
    ) -> Estimate:
        """Estimate all requests; `schemas` are hashes of what the job's schemas check, by number.

        Where nothing is known of their answers, requests without a cap count `uncapped` output tokens.
        """
        keys = self._history_keys(schemas)
        found = ledger.output_tokens(list(dict.fromkeys(keys.values()))[:MOST_KEYS]) if keys else {}

        def mean(deployment: str, schema: int) -> float | None:
            outputs = found.get(keys[deployment, schema])
            return None if outputs is None else outputs.mean

        def model(deployment: str) -> str:
            return model_behind(self._settings, deployment, found.get(keys[deployment, None]))

        return estimate(self._samples, model, mean, Basis.HISTORY, uncapped)

    def _history_keys(self, schemas: Sequence[bytes] | Mapping[int, bytes]) -> Mapping[tuple[str, int | None], str]:
        keys: dict[tuple[str, int | None], str] = {}
        for deployment, sample in self._samples.items():
            keys[deployment, None] = history_key(deployment)
            for number in sample.by_schema:
                keys[deployment, number] = schema_key(deployment, schemas[number] if number >= 0 else b"")
        return keys


class JobSamples:
    """All requests of a job, and where it has a pilot, those of the pilot and the others by themselves."""

    def __init__(self, settings: Settings) -> None:
        self._all, self._pilot, self._rest = (RequestSamples(settings) for _ in range(3))
        self._has_pilot = False

    def add(self, block: RequestBlock, *, pilot: bool, rest: bool) -> None:
        """Measure requests that will be sent, in the `pilot`, or in the `rest` after it."""
        self._all.add(block)
        if pilot:
            self._has_pilot = True
            self._pilot.add(block)
        elif rest:
            self._rest.add(block)

    def estimate(self, built: Built, ledger: Ledger, schemas: Sequence[bytes]) -> None:
        """Write down what the job is estimated at; `schemas` are hashes of what its schemas check, by number."""
        built.estimate = self._all.estimate(ledger, schemas)
        if self._has_pilot:
            built.pilot_estimate = self._pilot.estimate(ledger, schemas, uncapped=UNCAPPED_OUTPUT_TOKENS)
            built.rest = self._rest.rest()
        if unknown := self._all.counted_by_bytes:
            built.warnings.append(
                f"Tokens of {', '.join(unknown)} are estimated by bytes, as the model's encoding is not known here."
            )


def schema_key(deployment: str, digest: bytes) -> str:
    """Name what a deployment's answers to one schema are remembered by; an empty digest stands for plain text."""
    return history_key(deployment, digest or b"text")


def model_behind(settings: Settings, deployment: str, outputs: OutputTokens | None) -> str:
    """Find a deployment's model: from the setting, from its earlier answers, or from the deployment's own name."""
    # Responses answers name the deployment itself.
    named = outputs.model if outputs and outputs.model != deployment else ""
    told = settings.deployment_models.get(deployment) or named
    return told or deployment.removesuffix("-batch")
