"""Values that look like what a field's name says, and facts about buildings that a prompt mentions."""

import math
import random
import re
import uuid
from collections.abc import Callable
from functools import lru_cache

from local.batch_service import facts

PEOPLE = (
    "Amara Okafor",
    "Ben Carter",
    "Chen Wei",
    "Dana Novak",
    "Elif Kaya",
    "Femi Adeyemi",
    "Grace Lin",
    "Hugo Meyer",
)
COMPANIES = ("Northwind Traders", "Contoso", "Fabrikam", "Adventure Works", "Tailspin Toys", "Wide World Importers")
PLACES = (
    ("London", "United Kingdom"), ("New York City", "United States"), ("Tokyo", "Japan"), ("Paris", "France"),
    ("Toronto", "Canada"), ("Sydney", "Australia"), ("Singapore", "Singapore"), ("Madrid", "Spain"),
    ("Warsaw", "Poland"), ("Nairobi", "Kenya"),
)  # fmt: skip
TOPICS = ("quality", "delivery", "price", "support", "design", "safety", "performance", "usability")
SENTENCES = (
    "The request is answered from the details given in the prompt.",
    "The text describes the subject clearly and gives the main points.",
    "Nothing in the prompt contradicts this reading.",
    "The details given are enough for a confident answer.",
)
CHOICES = {
    "sentiment": ("positive", "neutral", "negative"),
    "language": ("English", "French", "German", "Spanish"),
    "currency": ("USD", "EUR", "GBP", "JPY"),
    "color": ("blue", "green", "red", "grey"),
    "colour": ("blue", "green", "red", "grey"),
    "status": ("open", "in progress", "done"),
    "priority": ("low", "medium", "high"),
    "severity": ("low", "medium", "high"),
    "category": ("general", "billing", "technical", "account"),
    "gender": ("female", "male", "unspecified"),
    "company": COMPANIES,
    "organization": COMPANIES,
    "organisation": COMPANIES,
    "brand": COMPANIES,
    "author": PEOPLE,
    "person": PEOPLE,
    "customer": PEOPLE,
    "firstname": tuple(person.split()[0] for person in PEOPLE),
    "lastname": tuple(person.split()[1] for person in PEOPLE),
    "surname": tuple(person.split()[1] for person in PEOPLE),
    "topic": TOPICS,
    "tag": TOPICS,
    "keyword": TOPICS,
    "theme": TOPICS,
    "step": ("Read the question.", "Note what is given.", "Work it out.", "Check the result."),
}
RANGES: dict[str, tuple[float, float]] = {
    "year": (1890, 2024), "age": (18, 90), "rating": (1, 5), "stars": (1, 5), "score": (0, 1), "confidence": (0, 1),
    "probability": (0, 1), "percent": (0, 100), "price": (5, 500), "amount": (5, 500), "total": (5, 500),
    "feet": (200, 2000), "meters": (60, 600), "metres": (60, 600), "height": (60, 600), "floors": (10, 160),
    "population": (10_000, 9_000_000), "latitude": (-60, 70), "longitude": (-180, 180), "count": (0, 20),
    "quantity": (1, 20), "month": (1, 12), "day": (1, 28), "hour": (0, 23), "temperature": (-10, 35),
}  # fmt: skip
PROPER_NAME = re.compile(r"(?:\b(?:the|The)\s+)?\b[A-Z][\w'&.-]*(?:\s+(?:of|the|de|du|and)?\s*[A-Z0-9][\w'&.-]*)*")
COMMANDS = frozenset(
    [
        "provide",
        "give",
        "tell",
        "describe",
        "list",
        "what",
        "who",
        "where",
        "when",
        "which",
        "how",
        "please",
        "summarize",
        "explain",
        "classify",
    ]
)


FORMATS_BY_NAME = {
    "email": "email", "mail": "email", "url": "uri", "link": "uri", "website": "uri", "date": "date", "uuid": "uuid",
    "timestamp": "date-time", "time": "time", "datetime": "date-time",
}  # fmt: skip


class Hints:
    """What one answer's values are drawn from: the prompt, its building if it names one, one place, one chance."""

    def __init__(self, prompt: str, chance: random.Random) -> None:
        self.chance = chance
        self.prompt = prompt
        self.facts = facts.about(prompt)
        self.city, self.country = chance.choice(PLACES)

    def text(self, name: str) -> str:
        """Return a text for a field of that name."""
        words = words_of(name)
        known = facts.value(self.facts, words) if self.facts else None
        if known is None:
            return _maker_of(name)(self)
        return f"{known:,}" if isinstance(known, int) and "year" not in words else str(known)

    def number(self, name: str, low: float | None, high: float | None, *, whole: bool) -> int | float:
        """Return a number for a field of that name, within the bounds."""
        words = words_of(name)
        known = facts.value(self.facts, words) if self.facts else None
        if isinstance(known, int) and (low is None or known >= low) and (high is None or known <= high):
            return known
        least, most = _within(_usual_range(words), low, high)
        if whole:
            first, last = math.ceil(least), math.floor(most)
            return self.chance.randint(first, max(first, last))
        return min(max(round(self.chance.uniform(least, most), 2), least), most)

    def proper_name(self) -> str | None:
        """Return the longest proper name in the prompt, as `Willis Tower` in "Provide info about the Willis Tower"."""
        found = [match.group().removeprefix("the ").rstrip(".") for match in PROPER_NAME.finditer(self.prompt)]
        names = [name for name in found if name.split()[0].lower() not in COMMANDS]
        return max(names, key=len) if names else None


Maker = Callable[[Hints], str]


@lru_cache(maxsize=4096)
def _maker_of(name: str) -> Maker:
    """Return what makes a text for a field of that name."""
    words = words_of(name)
    last = words[-1] if words else ""
    if {"city", "town"} & set(words):
        return lambda hints: hints.city
    if {"country", "nation"} & set(words):
        return lambda hints: hints.country
    choices = CHOICES.get("".join(words)) or CHOICES.get(last)
    if choices is not None:
        return lambda hints: hints.chance.choice(choices)
    if last in FORMATS_BY_NAME:
        return lambda hints: formatted(FORMATS_BY_NAME[last], hints.chance)
    if last in ("name", "title", "building", "subject", "product", "seller", "vendor", "supplier", "company"):
        usual = PEOPLE if words[:-1] in ((), ("full",)) else COMPANIES
        return lambda hints: hints.proper_name() or hints.chance.choice(usual)
    return _marks_maker(words, last)


def _marks_maker(words: tuple[str, ...], last: str) -> Maker:
    """Return what makes numbers, codes and addresses, or else a sentence."""
    if last in ("phone", "telephone", "mobile"):
        return lambda hints: f"+1 202 555 01{hints.chance.randint(10, 99)}"
    if last in ("id", "code", "number", "reference", "sku"):
        return lambda hints: f"{hints.chance.choice('ABCDEFGH')}{hints.chance.randint(1000, 9999)}"
    if last in ("address", "street"):
        return lambda hints: f"{hints.chance.randint(1, 240)} High Street, {hints.city}"
    if "year" in words:
        return lambda hints: str(hints.number("year", None, None, whole=True))
    if any(word in RANGES for word in words):
        return lambda hints: f"{hints.number(' '.join(words), None, None, whole=True):,}"
    return lambda hints: hints.chance.choice(SENTENCES)


def _usual_range(words: tuple[str, ...]) -> tuple[float, float]:
    return next((RANGES[word] for word in reversed(words) if word in RANGES), (1, 100))


def _within(usual: tuple[float, float], low: float | None, high: float | None) -> tuple[float, float]:
    """Return the bounds, with the usual width where one of them is absent."""
    width = usual[1] - usual[0]
    if low is None and high is None:
        return usual
    if high is None:
        return low or 0, (low or 0) + width
    return high - width if low is None else low, high


def formatted(name: str, chance: random.Random) -> str:
    """Return a text of a JSON Schema `format`; an unknown one gives a plain word."""
    day = f"{chance.randint(1990, 2025)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
    hour = f"{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:{chance.randint(0, 59):02}Z"
    first, last = chance.choice(PEOPLE).lower().split()
    made = {
        "date": day,
        "time": hour,
        "date-time": f"{day}T{hour}",
        "duration": f"PT{chance.randint(1, 59)}M",
        "email": f"{first}.{last}@example.com",
        "hostname": f"{last}.example.com",
        "ipv4": f"192.0.2.{chance.randint(1, 254)}",
        "ipv6": f"2001:db8::{chance.randint(1, 9999):x}",
        "uuid": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "uri": f"https://www.example.com/{last}",
    }
    return made.get(name, last)


def singular(name: str) -> str:
    """Return the name of one item of a list field: `tags` → `tag`."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Split `HeightInFeet`, `height_in_feet` or `height in feet` into lower-case words."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-\s.]+", " ", name)
    return tuple(spaced.lower().split())


def sentence(seed: bytes, prompt: str) -> str:
    """Return the plain text answer to a prompt that asks for no schema."""
    known = facts.about(prompt)
    if known is not None:
        return (
            f"{known['name']} stands in {known['city']}, {known['country']}. It is {known['feet']:,} feet "
            f"({known['metres']} metres) tall, has {known['floors']} floors and was completed in {known['year']}."
        )
    return " ".join(random.Random(seed).sample(SENTENCES, 2))
