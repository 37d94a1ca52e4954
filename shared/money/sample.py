"""A job's requests, measured on a sample of them: tokens in, and caps on tokens out.

Up to 1,000 requests of one model are all counted. Of more, a sample spread evenly over the file is counted and scaled
by bytes. The sample follows from the requests alone, so that building again gives the same estimate.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from shared.json_codec import loads, mapping
from shared.money.request_tokens import request_tokens
from shared.money.tokens import TokenCounter

SAMPLE_SIZE: Final = 1_000
"""Requests of one model that are all counted; of more, at least half as many are."""

COUNTED_BYTES: Final = 32_768
"""A longer request is counted by its bytes, at the rate of the others: it must not take a second by itself."""

BYTES_PER_TOKEN: Final = 4
"""The rate where no encoding is known, on the high side: English requests with a schema have 3 to 8."""

CAPS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")


class SampledRequest(NamedTuple):
    """One counted request: its size in bytes, its input tokens, its schema's number and its cap on output tokens."""

    size: int
    tokens: int
    schema: int
    cap: int | None


@dataclass(slots=True)
class RequestSample:
    """The requests of one model: all of them summed up, and a sample of them counted."""

    counter: TokenCounter | None
    requests: int = 0
    size: int = 0
    by_schema: Counter[int] = field(default_factory=Counter)
    counted: list[SampledRequest] = field(default_factory=list)
    stride: int = 1
    image_tokens: int = 0

    def add(self, text: bytes, schemas: Sequence[int], image_tokens: int = 0) -> None:
        """Add consecutive request lines, each with its line end; `schemas` has one number for each line.

        `image_tokens` are those of all their images, whose bytes are not in `text`.
        """
        self.image_tokens += image_tokens
        first = -self.requests % self.stride
        if first < len(schemas):
            lines = text.split(b"\n")
            for position in range(first, len(schemas), self.stride):
                self.counted.append(self._measured(lines[position], schemas[position]))
        self.requests += len(schemas)
        self.size += len(text)
        self.by_schema.update(schemas)
        while len(self.counted) > SAMPLE_SIZE:
            self.counted = self.counted[::2]
            self.stride *= 2

    @property
    def input_tokens(self) -> int:
        """The input tokens of all requests."""
        return self._text_tokens + self.image_tokens

    @property
    def _text_tokens(self) -> int:
        counted = [request for request in self.counted if request.tokens]
        if not counted:
            return -(-self.size // BYTES_PER_TOKEN)
        if len(counted) == self.requests:
            return sum(request.tokens for request in counted)
        return round(self.size * sum(request.tokens for request in counted) / sum(request.size for request in counted))

    @property
    def is_exact(self) -> bool:
        """Whether the model's own encoding counted the tokens, rather than bytes."""
        return self.counter is not None

    def output_tokens(self, expected: Callable[[int], float | None], uncapped: float | None = None) -> int | None:
        """Estimate the output tokens of all requests; None where nothing is known of some of them.

        `expected` gives a schema's mean output tokens, None where it is not known: then each request counts its cap,
        and one without a cap `uncapped`. No request counts more than its cap.
        """
        total = 0.0
        for schema, requests in self.by_schema.items():
            # A schema so rare that the sample missed it counts as the job's others do.
            like = [one for one in self.counted if one.schema == schema] or self.counted
            each = [_capped(expected(schema), one.cap) for one in like]
            known = [found for tokens in each if (found := uncapped if tokens is None else tokens) is not None]
            if len(known) < len(each) or not known:
                return None
            total += requests * sum(known) / len(known)
        return round(total)

    @property
    def mean_cap(self) -> float | None:
        """The mean cap on output tokens, None where a request has none."""
        caps = [request.cap for request in self.counted if request.cap is not None]
        return sum(caps) / len(caps) if caps and len(caps) == len(self.counted) else None

    def _measured(self, line: bytes, schema: int) -> SampledRequest:
        size = len(line) + 1
        body = mapping(mapping(loads(line)).get("body"))
        counts = self.counter is not None and size <= COUNTED_BYTES
        tokens = request_tokens(body, self.counter) if counts and self.counter is not None else 0
        return SampledRequest(size, tokens, schema, _cap_of(body))


def _capped(tokens: float | None, cap: int | None) -> float | None:
    if tokens is None:
        return cap
    return tokens if cap is None else min(tokens, cap)


def _cap_of(body: Mapping[str, Any]) -> int | None:
    return min((cap for name in CAPS if type(cap := body.get(name)) is int and cap > 0), default=None)
