"""Facts about well-known tall buildings, so that the sample's answers are true."""

import re

Fact = str | int

# name, other names, height in feet, height in metres, floors, city, country, year of completion
_TABLE: tuple[tuple[str, tuple[str, ...], int, int, int, str, str, int], ...] = (
    ("Empire State Building", (), 1454, 443, 102, "New York City", "United States", 1931),
    ("The Shard", ("shard",), 1016, 310, 72, "London", "United Kingdom", 2012),
    ("Burj Khalifa", (), 2717, 828, 163, "Dubai", "United Arab Emirates", 2010),
    ("Chrysler Building", (), 1046, 319, 77, "New York City", "United States", 1930),
    ("One World Trade Center", (), 1776, 541, 94, "New York City", "United States", 2014),
    ("Willis Tower", ("sears tower",), 1451, 442, 110, "Chicago", "United States", 1974),
    ("Shanghai Tower", (), 2073, 632, 128, "Shanghai", "China", 2015),
    ("Merdeka 118", (), 2227, 679, 118, "Kuala Lumpur", "Malaysia", 2023),
    ("Petronas Towers", ("petronas twin towers",), 1483, 452, 88, "Kuala Lumpur", "Malaysia", 1998),
    ("Taipei 101", (), 1667, 508, 101, "Taipei", "Taiwan", 2004),
    ("Abraj Al-Bait Clock Tower", ("makkah clock royal tower",), 1972, 601, 120, "Mecca", "Saudi Arabia", 2012),
    ("Ping An Finance Center", ("ping an finance centre",), 1965, 599, 115, "Shenzhen", "China", 2017),
    ("Lotte World Tower", (), 1819, 554, 123, "Seoul", "South Korea", 2017),
    ("Eiffel Tower", (), 1083, 330, 3, "Paris", "France", 1889),
    ("CN Tower", (), 1815, 553, 147, "Toronto", "Canada", 1976),
    ("Tokyo Skytree", (), 2080, 634, 32, "Tokyo", "Japan", 2012),
    ("Commerzbank Tower", (), 850, 259, 56, "Frankfurt", "Germany", 1997),
    ("Eureka Tower", (), 975, 297, 91, "Melbourne", "Australia", 2006),
    ("30 St Mary Axe", ("gherkin",), 591, 180, 41, "London", "United Kingdom", 2003),
    ("One Canada Square", (), 770, 235, 50, "London", "United Kingdom", 1991),
    ("Space Needle", (), 605, 184, 6, "Seattle", "United States", 1962),
    ("Flatiron Building", (), 285, 87, 22, "New York City", "United States", 1902),
)


def _record(row: tuple[str, tuple[str, ...], int, int, int, str, str, int]) -> dict[str, Fact]:
    name, _, feet, metres, floors, city, country, year = row
    return {
        "name": name,
        "feet": feet,
        "metres": metres,
        "floors": floors,
        "city": city,
        "country": country,
        "year": year,
    }


_KNOWN = {alias.lower(): _record(row) for row in _TABLE for alias in (row[0], *row[1])}
_MENTION = re.compile(r"\b(" + "|".join(map(re.escape, sorted(_KNOWN, key=len, reverse=True))) + r")\b")


def about(prompt: str) -> dict[str, Fact] | None:
    """Return the facts of the first building that the prompt mentions."""
    text = prompt.lower()
    if not any(name in text for name in _KNOWN):  # ten times as fast as the search, and most prompts end here
        return None
    found = _MENTION.search(text)
    return _KNOWN[found.group()] if found else None


def value(known: dict[str, Fact], words: tuple[str, ...]) -> Fact | None:
    """Return the fact that a field with these words in its name asks for, or None."""
    if "city" in words or "country" in words:
        return known["city" if "city" in words else "country"]
    if "name" in words or words in (("building",), ("tower",)):
        return known["name"]
    if "height" in words or words in (("feet",), ("meters",), ("metres",)):
        return known["metres" if {"meters", "metres", "m"} & set(words) else "feet"]
    if {"floors", "stories", "storeys"} & set(words):
        return known["floors"]
    return known["year"] if {"year", "completed", "built"} & set(words) else None
