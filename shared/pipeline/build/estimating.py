"""What a job is estimated to use and cost, from its requests and from what earlier answers were like."""

from collections.abc import ItemsView, Mapping, Sequence
from typing import Final

from shared.domain.estimate import Basis, Estimate
from shared.domain.ledger import Ledger, history_key
from shared.domain.model import RequestBlock, RestOfJob
from shared.money.budget_and_caps import UNCAPPED_OUTPUT_TOKENS
from shared.money.estimate import estimate
from shared.money.sample import RequestSample
from shared.money.tokens import token_counter
from shared.pipeline.build.built import Built
from shared.pipeline.deployment_models import DeploymentModels
from shared.pipeline.pilot_answers import PilotAnswers

MOST_KEYS: Final = 120
"""How many schemas' earlier answers are looked up; a job with more of them counts the others by their caps."""

HELD_BYTES: Final = 16 * 1024 * 1024
"""Bytes of requests that wait to be counted; where there are more, they are counted at once."""

type Digests = Sequence[bytes] | Mapping[int, bytes]


class RequestSamples:
    """Requests of a job by deployment, of which a sample is counted."""

    def __init__(self, models: DeploymentModels) -> None:
        self._models = models
        self._samples: dict[str, RequestSample] = {}
        self._held = 0

    def add(self, block: RequestBlock) -> None:
        """Take requests that will be sent."""
        sample = self._samples.get(block.model)
        if sample is None:
            sample = self._samples[block.model] = RequestSample()
        held = sample.held
        if block.wordings:
            size = sum(map(len, block.wordings)) + len(block.wordings)
            sample.add(block.wordings, block.schemas, size, sum(block.image_tokens))
        else:
            sample.add(block.lines, block.schemas, block.size)
        self._held += sample.held - held
        if self._held > HELD_BYTES:
            self.count()

    def count(self) -> None:
        """Count the tokens of those sampled requests that were not counted before."""
        for deployment, sample in self._samples.items():
            sample.count(token_counter(self._models.behind(deployment)))
        self._held = 0

    def items(self) -> ItemsView[str, RequestSample]:
        """Return the samples with the names of their deployments."""
        return self._samples.items()

    def rest(self) -> dict[str, RestOfJob]:
        """Sum the requests up by deployment, to be estimated once a pilot has shown how long the answers are."""
        return {
            deployment: RestOfJob(requests=sample.requests, input_tokens=sample.input_tokens, caps=sample.caps)
            for deployment, sample in self._samples.items()
        }


class JobSamples:
    """The requests of a job: those of its pilot, if it has one, and the others."""

    def __init__(self, models: DeploymentModels) -> None:
        self._models = models
        self._pilot, self._rest = RequestSamples(models), RequestSamples(models)

    def add(self, block: RequestBlock, *, pilot: bool) -> None:
        """Take requests that will be sent, in the `pilot` or after it."""
        (self._pilot if pilot else self._rest).add(block)

    def estimate(self, built: Built, ledger: Ledger, schemas: Digests) -> None:
        """Write down what the job is estimated at; `schemas` are hashes of what its schemas check, by number."""
        both = [*self._pilot.items(), *self._rest.items()]
        history = OutputHistory(ledger, self._models, both, schemas)
        self._pilot.count()
        self._rest.count()
        built.estimate = estimate(both, self._models.behind, history.mean, Basis.HISTORY)
        if pilot := self._pilot.items():
            # Where the job's cost cannot be known, every row of its pilot counts its cap.
            mean = _unknown if built.estimate.output_tokens is None else history.mean
            built.pilot_estimate = estimate(pilot, self._models.behind, mean, Basis.HISTORY, UNCAPPED_OUTPUT_TOKENS)
            built.rest = self._rest.rest()
        if unknown := [name for name in dict(both) if token_counter(self._models.behind(name)) is None]:
            built.warnings.append(
                f"Tokens of {', '.join(unknown)} are estimated by bytes, as the model's encoding is not known here."
            )


def estimate_follow_up(
    samples: RequestSamples, models: DeploymentModels, ledger: Ledger, schemas: Digests, pilot: PilotAnswers | None
) -> Estimate:
    """Estimate a follow-up batch's requests by the answers of the job's pilot, else as a job is."""
    if pilot is not None and pilot.answers:
        models.learn(pilot.by_deployment)
        samples.count()
        return estimate(samples.items(), models.behind, lambda name, _schema: pilot.mean(name), Basis.PILOT)
    history = OutputHistory(ledger, models, list(samples.items()), schemas)
    samples.count()
    return estimate(samples.items(), models.behind, history.mean, Basis.HISTORY)


def _unknown(_deployment: str, _schema: int) -> None:
    """Know no mean output tokens."""


class OutputHistory:
    """How long earlier answers of the same deployments and schemas were, looked up all at once."""

    def __init__(
        self,
        ledger: Ledger,
        models: DeploymentModels,
        samples: Sequence[tuple[str, RequestSample]],
        schemas: Digests,
    ) -> None:
        """`schemas` are hashes of what the schemas of the samples check, by number; `models` learn what is found."""
        self._keys: dict[tuple[str, int | None], str] = {}
        for deployment, sample in samples:
            self._keys[deployment, None] = history_key(deployment)
            for number in sample.by_schema:
                self._keys[deployment, number] = schema_key(deployment, schemas[number] if number >= 0 else b"")
        keys = list(dict.fromkeys(self._keys.values()))[:MOST_KEYS]
        self._found = ledger.output_tokens(keys) if keys else {}
        models.learn({name: self._found.get(self._keys[name, None]) for name, _sample in samples})

    def mean(self, deployment: str, schema: int) -> float | None:
        """Return the mean output tokens of a deployment's answers to the schema of a number, None without any."""
        outputs = self._found.get(self._keys[deployment, schema])
        return None if outputs is None else outputs.mean


def schema_key(deployment: str, digest: bytes) -> str:
    """Name what a deployment's answers to one schema are remembered by; an empty digest stands for plain text."""
    return history_key(deployment, digest or b"text")
