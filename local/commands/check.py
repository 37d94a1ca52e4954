"""Tell what would be sent for prompt files, sending nothing: built by the app's own code, in storage of its own."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.syntax import Syntax

from local.commands.building import BuiltJob, build, building_app
from local.commands.command_line import parse
from local.commands.first_faults import FAULTS_OF_ROWS
from local.commands.job_words import counted, left_out, money, one_line
from local.commands.prompt_paths import plan_drops
from local.commands.running import run_command
from local.commands.screen import Screen
from local.commands.uploading import upload

_LINE_WIDTH = 76
_LONGEST_TEXT = 600
"""Characters of a text in the first request that are shown: an image alone has millions."""


def main(arguments: Sequence[str]) -> int:
    """Check the named files; return 0 where every row of them would be sent, else 1."""
    options = parse(arguments[0], arguments[1:])
    screen = Screen(as_json=options.json)

    def work() -> int:
        plan = plan_drops(options.paths, options.limit)
        with building_app() as app:
            is_well = True
            for number, dropped in enumerate(upload(app, plan)):
                built = build(app, dropped)
                screen.event("check", **_for_machines(dropped.blob, built))
                if not screen.as_json:
                    if number:
                        screen.say("")
                    _show(dropped.blob, built, screen)
                is_well = is_well and not built.code and not built.invalid and built.requests > 0
        return 0 if is_well else 1

    return run_command(work)


def _for_machines(blob: str, built: BuiltJob) -> dict[str, Any]:
    return {
        "prompt_file": blob,
        "code": built.code,
        "message": built.message or None,
        "rows": {"total": built.status["rows"]["total"], "to_send": built.requests},
        "errors": built.status["errors"],
        "first_errors": {code: f"row {row}: {text}" for code, ((row, text), *_) in built.first_faults.rows.items()},
        "batches": built.batches,
        "models": built.models,
        "id_column": built.id_column or None,
        "warnings": built.status["warnings"],
        "estimate": built.estimate,
        "first_request": built.first_request,
        "schema": built.schema,
    }


def _show(blob: str, built: BuiltJob, screen: Screen) -> None:
    screen.say(blob, "bold")
    if built.code:
        screen.say(f"  cannot be sent: {built.code} · {built.message}", "red")
    elif built.message:
        screen.warn(f"  {built.message}")
    for line in _rows(built):
        screen.say(f"  {line}")
    if built.id_column:
        screen.say(f"  {_id_hint(built.id_column)}")
    for warning in built.status["warnings"]:
        screen.warn(f"  warning: {one_line(warning, 600)}")
    if built.first_request:
        _show_request(built, built.first_request, screen)
        screen.say(f"  {_estimate(built.estimate)}")
    screen.say("  Nothing was sent.", "dim")


def _rows(built: BuiltJob) -> list[str]:
    total, unsent = built.status["rows"]["total"], left_out(built.status)
    if total is None:
        return []
    where = f", in {counted(built.batches, 'batch').replace('batchs', 'batches')}" if built.batches else ""
    to_whom = f", to {', '.join(built.models)}" if built.models else ""
    lines = [f"{built.requests:,} of {counted(total, 'row')} would be sent{where}{to_whom}"]
    if unsent:
        lines.append(f"{unsent:,} not_sent: a trial run")
    # Where the whole file has the one fault, it is said already.
    is_said = built.code and built.code not in FAULTS_OF_ROWS and len(built.invalid) == 1
    return lines if is_said else lines + built.first_faults.lines(built.message)


def _id_hint(column: str) -> str:
    """Say that a column of this name identifies no row, and how it would."""
    named = json.dumps({"custom_id": column}, ensure_ascii=False)
    return (
        f'hint: the column "{column}" is carried to the results, but the custom ids are row-1, row-2, and so on. To '
        f'make it the custom id, rename it to "Custom ID", or put "columns": {named} into _job.json.'
    )


def _show_request(built: BuiltJob, request: Mapping[str, Any], screen: Screen) -> None:
    shown = _shortened(request)
    body = shown.get("body", {})
    holder = (body.get("response_format") or {}).get("json_schema") or (body.get("text") or {}).get("format") or {}
    if built.schema and "schema" in holder:
        holder["schema"] = "as below"
    for title, part in (("The first request", shown), ("The schema as sent", built.schema)):
        if part:
            screen.say(f"  {title}:", "bold")
            text = _pretty(part)
            if screen.is_live:
                screen.console.print(
                    Syntax(text, "json", theme="ansi_dark", word_wrap=True, background_color="default")
                )
            else:
                screen.say(text)


def _shortened(value: Any) -> Any:
    """Return a copy of a JSON value whose long texts are cut."""
    if isinstance(value, dict):
        return {key: _shortened(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shortened(part) for part in value]
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[:_LONGEST_TEXT]}… ({len(value):,} characters)"
    return value


def _pretty(value: Any, indent: int = 0) -> str:
    """Return a JSON value as text for people: what fits into a line stands in one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(flat) + indent <= _LINE_WIDTH:
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        opening, closing = "{}"
        lines = [f"{json.dumps(key, ensure_ascii=False)}: {_pretty(part, indent + 2)}" for key, part in value.items()]
    else:
        opening, closing = "[]"
        lines = [_pretty(part, indent + 2) for part in value]
    return f"{opening}\n{inner}" + f",\n{inner}".join(lines) + f"\n{' ' * indent}{closing}"


def _estimate(estimate: Mapping[str, Any]) -> str:
    output, usd = estimate.get("output_tokens"), estimate.get("usd")
    about = "at most" if estimate.get("basis") == "cap" else "about"
    parts = [f"about {estimate['input_tokens']:,} input tokens"]
    if output is not None:
        parts.append(f"{about} {output:,} output tokens")
    if usd is not None:
        parts.append(f"{about} {money(usd)} at the batch price")
    elif output is None:
        parts.append("the cost is unknown until there are answers (max_completion_tokens would show the most)")
    else:
        parts.append("no price is known for the model")
    return "Estimate: " + ", ".join(parts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
