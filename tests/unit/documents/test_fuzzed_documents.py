"""Damaged images and PDFs of every kind: each ends as an image or as a reason, in the app and in the renderer's child.

`python -m tests.unit.documents.test_fuzzed_documents 10000` tries as many mutations, and watches the memory.
"""

import os
import random
import sys
from collections import Counter

import pytest

from shared.adapters.page_renderer import PageRenderer
from shared.documents.image_files import UnsupportedDocumentError, inspect_image
from shared.documents.pictures import picture_of, text_of
from shared.domain.ports import RenderingError
from testing.documents import image, pdf
from testing.paths import PROJECT

INVOICES = PROJECT / "samples" / "invoices"
SEEDS = [image(form) for form in ("PNG", "JPEG", "GIF", "WEBP")]
PDFS = [pdf(2), *(path.read_bytes() for path in sorted(INVOICES.glob("*.pdf")))]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return a file with some bytes changed, cut out, doubled or taken from another place."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 12)):
        place = chance.randrange(len(changed) + 1)
        length = chance.randint(1, max(1, len(changed) // 4))
        act = chance.randrange(5)
        if act == 0 and place < len(changed):
            changed[place] = chance.randrange(256)
        elif act == 1:
            del changed[place : place + length]
        elif act == 2:
            changed[place:place] = changed[place : place + length]
        elif act == 3:
            changed[place:place] = chance.randbytes(chance.randint(1, 9))
        else:
            changed[place : place + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"9999", b"-1  "))
        changed = changed or bytearray(b"x")
    return bytes(changed)


def outcome_of_image(data: bytes) -> str:
    """Inspect an image as building does."""
    try:
        picture_of(data)
    except UnsupportedDocumentError:
        return "refused"
    return "image"


def outcome_of_pdf(data: bytes, renderer: PageRenderer) -> str:
    """Render a PDF as building does; what it gives must be images."""
    try:
        pages = renderer.render(data, dpi=40, page=0, most=10)
    except RenderingError as error:
        return "crashed" if "memory" in str(error) else "slow" if "too long" in str(error) else "refused"
    for page in pages:
        inspect_image(page)
    return "rendered"


@pytest.mark.parametrize("seed", range(4))
def test_mutated_images_end_as_images_or_as_reasons(seed: int) -> None:
    chance = random.Random(seed)
    outcomes = Counter(outcome_of_image(mutated(SEEDS[seed], chance)) for _ in range(300))

    assert outcomes["refused"] > 100


def test_mutated_texts_end_as_texts_or_as_reasons() -> None:
    chance = random.Random(0)
    for _ in range(300):
        try:
            text_of(mutated("Grüße aus Köln".encode(), chance))
        except UnsupportedDocumentError:
            continue


def test_mutated_pdfs_end_as_pages_or_as_reasons() -> None:
    chance = random.Random(0)
    renderer = PageRenderer()
    try:
        outcomes = Counter(outcome_of_pdf(mutated(chance.choice(PDFS), chance), renderer) for _ in range(150))
        assert outcome_of_pdf(PDFS[0], renderer) == "rendered"
    finally:
        renderer.close()

    assert outcomes["rendered"] > 10
    assert outcomes["refused"] > 10


def _memory(pid: int | str = "self") -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def main(count: int) -> None:
    """Try many mutations, half of them of images, and show outcomes and memory in KiB, a tenth at a time."""
    chance = random.Random(1)
    renderer = PageRenderer()
    outcomes: Counter[str] = Counter()
    for number in range(count // 2):
        outcomes[f"image {outcome_of_image(mutated(chance.choice(SEEDS), chance))}"] += 1
        outcomes[f"pdf {outcome_of_pdf(mutated(chance.choice(PDFS), chance), renderer)}"] += 1
        if number % max(1, count // 20) == 0:
            child = renderer._child
            print(number * 2, dict(outcomes), "own", _memory(), "child", _memory(child.pid) if child else 0, flush=True)
    renderer.close()
    print(count, dict(outcomes), "own", _memory())


if __name__ == "__main__":
    main(int(sys.argv[1]))
