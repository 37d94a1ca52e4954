"""What a job will use and cost, estimated before anything is sent."""

from collections.abc import Callable, Iterable, Mapping

from shared.domain.estimate import Basis, Estimate
from shared.domain.model import RestOfJob
from shared.money.prices import price_usd
from shared.money.sample import RequestSample, mean_capped

type MeanOutput = Callable[[str, int], float | None]
"""Gives the mean output tokens of a deployment's answers to the schema of a number, None where none are known."""


def estimate(
    samples: Iterable[tuple[str, RequestSample]],
    model_of: Callable[[str], str],
    mean_output: MeanOutput,
    basis: Basis,
    uncapped: float | None = None,
) -> Estimate:
    """Estimate the counted requests of deployments, given with their names; `basis` says what `mean_output` rests on.

    `model_of` gives the model behind a deployment, by which it is priced. Where no mean is known, every row counts its
    cap on output tokens, and without a cap `uncapped`; where that is None, output and cost are unknown.
    """
    used: set[Basis] = set()
    tokens_in, tokens_out, usd = 0, 0, 0.0
    is_output_known = is_price_known = True
    for deployment, sample in samples:
        means = {schema: mean_output(deployment, schema) for schema in sample.by_schema}
        used.update(Basis.CAP if mean is None else basis for mean in means.values())
        written = sample.output_tokens(means.__getitem__, uncapped)
        tokens_in += sample.input_tokens
        tokens_out += written or 0
        is_output_known = is_output_known and written is not None
        price = price_usd(model_of(deployment), [_per_row(sample.input_tokens, written or 0, sample.requests)])
        is_price_known = is_price_known and price is not None
        usd += (price or 0.0) * sample.requests
    if not is_output_known:
        return Estimate(tokens_in, priced=is_price_known)
    return Estimate(tokens_in, tokens_out, usd if is_price_known else None, _weakest(used), is_price_known)


def estimate_rest(
    rest: Mapping[str, RestOfJob], model_of: Callable[[str], str], mean_output: Callable[[str], float | None]
) -> Estimate:
    """Estimate what is left after a pilot, by deployment; `mean_output` gives the mean output tokens of its answers."""
    tokens_in = sum(left.input_tokens for left in rest.values())
    tokens_out, usd = 0.0, 0.0
    is_output_known = is_price_known = True
    for deployment, left in rest.items():
        each = mean_capped(left.caps, mean_output(deployment))
        tokens_out += (each or 0.0) * left.requests
        is_output_known = is_output_known and each is not None
        price = price_usd(model_of(deployment), [(left.input_tokens / max(left.requests, 1), each or 0.0)])
        is_price_known = is_price_known and price is not None
        usd += (price or 0.0) * left.requests
    if not is_output_known:
        return Estimate(tokens_in, priced=is_price_known)
    return Estimate(tokens_in, round(tokens_out), usd if is_price_known else None, Basis.PILOT, is_price_known)


def _per_row(read: int, written: int, requests: int) -> tuple[float, float]:
    return (read / requests, written / requests) if requests else (0.0, 0.0)


def _weakest(used: Iterable[Basis]) -> Basis | None:
    """Name the least certain basis in use, so that an estimate never looks better founded than it is."""
    found = set(used)
    return next((basis for basis in (Basis.CAP, Basis.HISTORY, Basis.PILOT) if basis in found), None)
