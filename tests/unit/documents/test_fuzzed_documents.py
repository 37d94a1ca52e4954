"""Damaged images and PDFs of every kind: each ends as an image or as a reason, in the app and in the renderer's child.

A sample by default; `FUZZED_DOCUMENTS=10000` tries as many mutations, in some minutes. `python -m
tests.unit.documents.test_fuzzed_documents 10000` does so too, and shows outcomes and memory as it goes on.
"""

import os
import random
import sys
from base64 import b64encode
from collections import Counter
from pathlib import Path

import pytest

from shared.adapters.page_renderer import PageRenderer
from shared.documents.image_files import UnsupportedDocumentError, inspect_image
from shared.documents.pictures import picture_of, picture_of_url, text_of
from shared.domain.ports import RenderingError
from testing.documents import animation, image, pdf
from testing.paths import PROJECT

INVOICES = PROJECT / "samples" / "invoices"
MUTATIONS = int(os.environ.get("FUZZED_DOCUMENTS", "1500"))
SEEDS = {
    "png": image(),
    "jpeg": image("JPEG"),
    "progressive jpeg": image("JPEG", progressive=True),
    "gif": image("GIF"),
    "webp": image("WEBP"),
    "lossless webp": image("WEBP", lossless=True),
    "animation": animation(),
}
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


def outcome_of_url(url: bytes) -> str:
    """Look at a data URL as building does."""
    try:
        picture_of_url(url.decode("latin-1"))
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


@pytest.mark.parametrize("kind", SEEDS)
@pytest.mark.timeout(600)
def test_mutated_images_end_as_images_or_as_reasons(kind: str) -> None:
    chance = random.Random(kind)
    mutations = max(1, MUTATIONS * 2 // 3 // len(SEEDS))
    outcomes = Counter(outcome_of_image(mutated(SEEDS[kind], chance)) for _ in range(mutations))

    assert outcomes["refused"] > mutations // 4


def test_mutated_data_urls_end_as_images_or_as_reasons() -> None:
    chance = random.Random(0)
    url = b"data:image/png;base64," + b64encode(SEEDS["png"])
    outcomes = Counter(outcome_of_url(mutated(url, chance)) for _ in range(MUTATIONS // 6))

    assert outcomes["refused"] > MUTATIONS // 10
    assert outcome_of_url(url) == "image"


def test_mutated_texts_end_as_texts_or_as_reasons() -> None:
    chance = random.Random(0)
    for _ in range(300):
        try:
            text_of(mutated("Grüße aus Köln".encode(), chance))
        except UnsupportedDocumentError:
            continue


@pytest.mark.timeout(1800)
def test_mutated_pdfs_end_as_pages_or_as_reasons_and_leave_no_memory_behind() -> None:
    chance = random.Random(0)
    renderer = PageRenderer()
    mutations = MUTATIONS // 6
    try:
        assert outcome_of_pdf(PDFS[0], renderer) == "rendered"
        before = _memory()
        outcomes = Counter(outcome_of_pdf(mutated(chance.choice(PDFS), chance), renderer) for _ in range(mutations))
        assert outcome_of_pdf(PDFS[0], renderer) == "rendered"
    finally:
        renderer.close()

    assert outcomes["rendered"] > mutations // 15
    assert outcomes["refused"] > mutations // 15
    assert _memory() - before < 20_000


def _memory(pid: int | str = "self") -> int:
    """Return the KiB that a process holds, 0 where the system does not tell."""
    file = Path(f"/proc/{pid}/statm")
    return int(file.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024 if file.exists() else 0


def main(count: int) -> None:
    """Try many mutations, half of them of images, and show outcomes and memory in KiB, a tenth at a time."""
    chance = random.Random(1)
    renderer = PageRenderer()
    outcomes: Counter[str] = Counter()
    for number in range(count // 2):
        outcomes[f"image {outcome_of_image(mutated(chance.choice([*SEEDS.values()]), chance))}"] += 1
        outcomes[f"pdf {outcome_of_pdf(mutated(chance.choice(PDFS), chance), renderer)}"] += 1
        if number % max(1, count // 20) == 0:
            child = renderer._child
            print(number * 2, dict(outcomes), "own", _memory(), "child", _memory(child.pid) if child else 0, flush=True)
    renderer.close()
    print(count, dict(outcomes), "own", _memory())


if __name__ == "__main__":
    main(int(sys.argv[1]))
