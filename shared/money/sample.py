"""A job's requests, measured on a sample of them: tokens in, and caps on tokens out.

Up to 1,000 requests of one model are all counted. Of more, a sample spread evenly over the file is counted and scaled
by bytes. The sample follows from the requests alone, so that building again gives the same estimate. It is counted
when it is complete: while it grows, most of what was in it is dropped again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple

from shared.money.request_tokens import RequestTokens, body_of_line
from shared.money.tokens import TokenCounter

SAMPLE_SIZE: Final = 1_000
"""Requests of one model that are all counted; of more, at least half as many are."""

MOST_CAPS: Final = 20
"""Different caps on output tokens of one model that a job's row remembers for after its pilot."""

BYTES_PER_TOKEN: Final = 4
"""The rate where no encoding is known, on the high side: English requests with a schema have 3 to 8."""


class SampledRequest(NamedTuple):
    """One request of a sample: its bytes, its schema's number, and its line until it is counted.

    Then `cap` is its cap on output tokens, and `tokens` are those of its input, 0 where they are not counted.
    """

    size: int
    schema: int
    line: bytes
    cap: int | None = None
    tokens: int = 0


@dataclass(slots=True)
class RequestSample:
    """The requests of one model: all of them summed up, and a sample of them."""

    requests: int = 0
    size: int = 0
    by_schema: Counter[int] = field(default_factory=Counter)
    sampled: list[SampledRequest] = field(default_factory=list)
    stride: int = 1
    image_tokens: int = 0
    held: int = 0
    """Bytes of lines that are not counted yet."""

    def add(self, lines: Sequence[bytes], schemas: Sequence[int], size: int, image_tokens: int = 0) -> None:
        """Add consecutive request lines, without line ends; `schemas` has one number for each line.

        `size` are their bytes with line ends, but without those of images; `image_tokens` are what all these cost.
        """
        self.image_tokens += image_tokens
        for position in range(-self.requests % self.stride, len(lines), self.stride):
            self._take(lines[position], schemas[position])
        self.requests += len(lines)
        self.size += size
        if schemas.count(schemas[0]) == len(schemas):
            self.by_schema[schemas[0]] += len(schemas)
        else:
            self.by_schema.update(schemas)
        while len(self.sampled) > SAMPLE_SIZE:
            self.sampled = self.sampled[::2]
            self.stride *= 2
            self.held = sum(len(request.line) for request in self.sampled)

    def _take(self, line: bytes, schema: int) -> None:
        self.sampled.append(SampledRequest(len(line) + 1, schema, line))
        self.held += len(line)

    def count(self, count: TokenCounter | None) -> None:
        """Count those sampled requests that were not counted before; None where the model's encoding is not known."""
        tokens = RequestTokens(count) if count else None
        self.sampled = [_counted(request, tokens) if request.line else request for request in self.sampled]
        self.held = 0

    @property
    def input_tokens(self) -> int:
        """The input tokens of all requests."""
        return self._text_tokens + self.image_tokens

    @property
    def _text_tokens(self) -> int:
        counted = [request for request in self.sampled if request.tokens]
        if not counted:
            return -(-self.size // BYTES_PER_TOKEN)
        if len(counted) == self.requests:
            return sum(request.tokens for request in counted)
        return round(self.size * sum(request.tokens for request in counted) / sum(request.size for request in counted))

    def output_tokens(self, expected: Callable[[int], float | None], uncapped: float | None = None) -> int | None:
        """Estimate the output tokens of all requests; None where nothing is known of some of them.

        `expected` gives a schema's mean output tokens, None where it is not known: then each request counts its cap,
        and one without a cap `uncapped`. No request counts more than its cap.
        """
        by_schema: dict[int, list[SampledRequest]] = {}
        for request in self.sampled:
            by_schema.setdefault(request.schema, []).append(request)
        # A schema so rare that the sample missed it counts as the job's others do.
        unseen = cache(lambda mean: _mean_output(self.sampled, mean, uncapped))
        total = 0.0
        for schema, requests in self.by_schema.items():
            mean, like = expected(schema), by_schema.get(schema)
            each = unseen(mean) if like is None else _mean_output(like, mean, uncapped)
            if each is None:
                return None
            total += requests * each
        return round(total)

    @property
    def caps(self) -> tuple[tuple[float | None, int], ...]:
        """The sampled requests' caps on output tokens, None for none, each with how many requests have it.

        Of very many different caps, neighbours are put together under their mean.
        """
        known = sorted(request.cap for request in self.sampled if request.cap is not None)
        without = len(self.sampled) - len(known)
        found: list[tuple[float | None, int]] = list(Counter(known).items())
        if len(found) > MOST_CAPS:
            size = -(-len(known) // MOST_CAPS)
            parts = [known[start : start + size] for start in range(0, len(known), size)]
            found = [(sum(part) / len(part), len(part)) for part in parts]
        return (*found, (None, without)) if without else tuple(found)


def mean_capped(caps: Sequence[tuple[float | None, int]], mean: float | None) -> float | None:
    """Return a mean of output tokens where no request counts more than its cap; None where nothing is known of one.

    Without a `mean`, each request counts its cap.
    """
    each = [(_capped(mean, cap), number) for cap, number in caps or ((None, 1),)]
    total = sum(number for _, number in each)
    known = [tokens * number for tokens, number in each if tokens is not None]
    return sum(known) / total if len(known) == len(each) else None


def _counted(request: SampledRequest, tokens: RequestTokens | None) -> SampledRequest:
    body = body_of_line(request.line)
    return request._replace(line=b"", cap=body.cap, tokens=tokens.of(body) if tokens else 0)


def _mean_output(requests: Sequence[SampledRequest], mean: float | None, uncapped: float | None) -> float | None:
    """Return the mean output tokens of some requests, None where nothing is known of one of them."""
    each = [_capped(mean, request.cap) for request in requests]
    known = [found for tokens in each if (found := uncapped if tokens is None else tokens) is not None]
    return sum(known) / len(known) if known and len(known) == len(each) else None


def _capped(tokens: float | None, cap: float | None) -> float | None:
    if tokens is None:
        return cap
    return tokens if cap is None else min(tokens, cap)
