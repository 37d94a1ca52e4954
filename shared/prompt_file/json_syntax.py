"""What to tell the person whose JSON is not valid: where it breaks, and which habit of another language that is."""

import json
import re
from typing import Final

_WORDS: Final = {
    "NaN": "NaN is not a JSON value: write null",
    "Infinity": "Infinity is not a JSON value: write null",
    "-Infinity": "-Infinity is not a JSON value: write null",
}
_OTHER_LANGUAGES: Final = re.compile(r"(None|True|False|undefined|nan|inf)\b")
_ITS_JSON: Final = {"None": "null", "True": "true", "False": "false"}


def why_not_json(text: str) -> str:
    """Say why a text is not valid JSON, to follow "Row 3 …"; texts that no message may hold are not quoted."""
    if not text:
        return "is empty: there is nothing between two commas"
    try:
        json.loads(text, parse_constant=_refuse)
    except _WordError as error:
        return f"is not valid JSON: {error}"
    except json.JSONDecodeError as error:
        return _explained(text, error)
    except (ValueError, RecursionError):
        return "is not valid JSON: it is nested too deep, or holds a number that is too long"
    if _HALF_PAIR.search(text):
        return 'is not valid JSON: it holds half a surrogate pair ("\\ud83d")'
    return "is not valid JSON: it is nested too deep, or holds a number that is too large"


_HALF_PAIR: Final = re.compile(r"\\u[dD][89a-fA-F]")


def _explained(text: str, error: json.JSONDecodeError) -> str:
    rest = text[error.pos :]
    before = text[: error.pos].rstrip(" \t")
    where = f"at character {error.pos + 1}"
    if error.msg == "Extra data":
        if before.endswith("\r") and rest.startswith("{"):
            return "holds a carriage return between objects: end each line with a line feed"
        if rest.lstrip(",").lstrip().startswith("{"):
            return "holds several objects: write each on its own line"
        return f"is not valid JSON: it goes on after its end {where}"
    if rest.lstrip().startswith(("//", "/*", "#")):
        return f"is not valid JSON: it has a comment, which JSON does not have, {where}"
    if rest.startswith(("'", "\u2018", "\u2019")):
        return f'is not valid JSON: it has single quotes {where}; JSON has double quotes (") only'
    if rest.startswith(("“", "”", "„")):
        return f'is not valid JSON: it has curly quotes {where}; JSON has straight ones (") only'
    if (word := _OTHER_LANGUAGES.match(rest)) is not None:
        wanted = _ITS_JSON.get(word[1], "null")
        return f"is not valid JSON: {word[1]} {where} is not a JSON value: write {wanted}"
    if error.msg == "Invalid control character at" and rest[:1] in ("\n", "\r"):
        return f"is not valid JSON: a text holds a line break {where}; write it as \\n"
    if error.msg == "Unterminated string starting at":
        return f"is not valid JSON: the text that starts {where} does not end in this line; write a line break as \\n"
    message = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
    return f"is not valid JSON: {message} {where}"


def _refuse(word: str) -> object:
    raise _WordError(_WORDS[word])


class _WordError(Exception):
    """A word that Python's parser takes and JSON does not have."""
