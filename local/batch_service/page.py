"""The tables of behaviours.py, as the page at GET / and as the Markdown of the docs."""

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

from local.batch_service.behaviours import ABSENT, BEHAVIOURS, DIFFERENCES, SOURCES

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "batch-service.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem;
border-bottom: 1px solid #ddd; } code { background: #f2f2f2; padding: 0 .2em; }
"""
Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def tables() -> list[Table]:
    """Return every table: its title, its columns and its rows, in Markdown's inline form."""
    return [
        (
            "What is implemented",
            ("Area", "Behaviour", "Source", "Test"),
            [(row.area, row.text, row.source, f"`{row.test}`") for row in BEHAVIOURS],
        ),
        (
            "Known differences from the real service",
            ("Here", "There", "Source"),
            [(row.here, row.there, row.source) for row in DIFFERENCES],
        ),
        ("What is not emulated, and answers 501", ("What", "Source"), [(row.what, row.source) for row in ABSENT]),
        ("Sources", ("Key", "What"), list(SOURCES.items())),
    ]


def markdown() -> str:
    """Return all tables as Markdown."""
    return "\n".join(f"## {title}\n\n{_markdown_table(columns, rows)}" for title, columns, rows in tables())


def html(url: str) -> str:
    """Return the page; `url` is the service's own address."""
    parts = "".join(f"<h2>{escape(title)}</h2>{_html_table(columns, rows)}" for title, columns, rows in tables())
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Local Azure OpenAI batch service</title><style>{STYLE}</style>
<h1>Local Azure OpenAI batch service</h1>
<p>Files and batches of Azure OpenAI for development, at <code>{escape(url)}</code>:
as <code>azure_endpoint</code> of <code>AzureOpenAI</code>, or with <code>/openai/v1/</code> as <code>base_url</code> of
<code>OpenAI</code>. <a href="/openapi.json">OpenAPI description</a> · <a href="/_local/journal">journal</a> ·
<a href="/_local/clock">clock</a> · <a href="/_local/scenario">scenario</a></p>
{parts}</html>
"""


def write_docs() -> None:
    """Write the tables into the docs, between their two marks."""
    text = DOCS.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    DOCS.write_text(f"{before}{BEGIN}\n\n{markdown()}\n{END}{after}", encoding="utf-8")


def _markdown_table(columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    names = list(columns)
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _html_table(columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _inline(text: str) -> str:
    """Turn Markdown's code marks into HTML's."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


if __name__ == "__main__":
    write_docs()
