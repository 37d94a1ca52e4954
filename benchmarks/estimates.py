"""`python -m benchmarks.estimates`: what jobs of 20 kinds were estimated at, beside what was paid, as Markdown.

Over real storage and the emulated service, whose answers fit each row's schema and have plausible lengths. Each job
follows one of the same kind with other rows wherever its basis is the history.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from local.batch_service.server import running_service
from local.servers.azurite import running_azurite
from testing.world import World, make_world, settings_for

TEXT: Final = {
    "English": "The customer writes that parcel {n} came late, and asks who pays for the return of it.",
    "German": "Der Kunde schreibt, dass Paket {n} verspätet ankam, und fragt nach der Rückerstattung.",
    "Russian": "Клиент пишет, что посылка {n} пришла поздно, и спрашивает, когда вернут деньги.",
    "Chinese": "客户写道,包裹{n}迟到了,并询问谁来支付退货费用。",
    "Arabic": "كتب العميل أن الطرد {n} وصل متأخراً، ويسأل من يدفع ثمن الإرجاع.",
    "Hindi": "ग्राहक लिखता है कि पार्सल {n} देर से आया, और पूछता है कि वापसी का भुगतान कौन करेगा।",
}
LISTS: Final = {
    "type": "object",
    "properties": {"topics": {"type": "array", "items": {"type": "string"}}, "summary": {"type": "string"}},
}


@dataclass(frozen=True)
class Case:
    """One kind of job: rows, job settings, and whether an earlier one has been answered."""

    name: str
    rows: int = 40
    language: str = "English"
    model: str = "gpt-4o-batch"
    required: str | None = "Name, Reason, Amount: number"
    settings: tuple[tuple[str, Any], ...] = ()
    form: str = "csv"
    history: bool = True
    uneven: bool = False
    scenario: tuple[Any, ...] = ()


CAP = ("parameters", {"max_completion_tokens": 120})
CASES: Final = (
    Case("history, English"),
    Case("history, German", language="German"),
    Case("history, Russian", language="Russian"),
    Case("history, Chinese", language="Chinese"),
    Case("history, Arabic", language="Arabic"),
    Case("history, Hindi", language="Hindi"),
    Case("history, gpt-4o-mini", model="gpt-4o-mini-batch"),
    Case("history, gpt-4.1-mini", model="gpt-4.1-mini-batch"),
    Case("history, gpt-5.4-mini, which reasons", model="gpt-5.4-mini-batch"),
    Case("history, one row", rows=1),
    Case("history, 3,000 rows: a sample is counted", rows=3_000),
    Case("history, 3,000 rows of very different length", rows=3_000, uneven=True),
    Case("history, JSON records", form="json"),
    Case("history, a long system message", settings=(("system", "You sort messages. " * 60),)),
    Case("history, lists and a summary", required=None, settings=(("schema", LISTS),)),
    Case("history, Responses", settings=(("url", "/v1/responses"),)),
    Case("history, plain text", required=None, settings=(("require_schema", False),)),
    Case("history, with rows that are asked twice", scenario=({"share": 0.2, "outcome": "error", "times": 1},)),
    Case("cap of 120 tokens", settings=(CAP,), history=False),
    Case("cap of 120 tokens, a quarter refused", settings=(CAP,), history=False,
         scenario=({"share": 0.25, "outcome": "refusal"},)),
)  # fmt: skip


def main() -> None:
    """Run all kinds of jobs, and print the table."""
    print("| job | basis | input tokens, estimated | paid | off | cost, estimated | paid | off |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    with (
        running_azurite() as azurite,
        running_service(frozen=True, storage=azurite.connection_string, processing=0) as service,
    ):
        for case in CASES:
            service.reset()
            world = make_world(
                service, settings_for(azurite.connection_string, service.url, DEPLOYMENT_MODELS="gpt-4o-batch=gpt-4o")
            )
            print(_line(case, _run(world, case)), flush=True)


def _run(world: World, case: Case) -> dict[str, Any]:
    settings = {"model": case.model, **dict(case.settings)}
    if case.required is not None:
        settings["required"] = case.required
    world.service.scenario({"rows": list(case.scenario)})
    if case.history:
        world.run(world.drop(f"first.{case.form}", _file(case, 7), **settings))
        world.service.scenario({"rows": list(case.scenario)})
    return world.run(world.drop(f"second.{case.form}", _file(case, 5_000_000), **settings))


def _file(case: Case, start: int) -> str:
    prompts = list(_prompts(case, start))
    if case.form == "json":
        return json.dumps([{"Prompt": prompt} for prompt in prompts])
    return "Prompt\n" + "".join(f'"{prompt}"\n' for prompt in prompts)


def _prompts(case: Case, start: int) -> Iterator[str]:
    for number in range(case.rows):
        times = 1 + number * 7919 % 23 if case.uneven else 1
        yield " ".join([TEXT[case.language].format(n=start + number)] * times)


def _line(case: Case, status: dict[str, Any]) -> str:
    estimate, usage, cost = status["estimate"], status["usage"], status["cost"]["usd"]
    read, paid = estimate["input_tokens"], usage["input_tokens"]
    return (
        f"| {case.name} | {estimate['basis']} | {read:,} | {paid:,} | {_off(read, paid)} "
        f"| ${estimate['usd']:.5f} | ${cost:.5f} | {_off(estimate['usd'], cost)} |"
    )


def _off(estimated: float, paid: float) -> str:
    return f"{(estimated - paid) / paid:+.1%}" if paid else ""


if __name__ == "__main__":
    main()
