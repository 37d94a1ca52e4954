"""PDFs rendered in a child process: pages, faults, and children that hang, die or would take too much."""

import os
import sys
import threading
import time

import pytest

from shared.adapters import page_renderer
from shared.adapters.page_renderer import SECONDS, PageRenderer
from shared.documents.image_files import ImageInfo, inspect_image
from shared.documents.render_pages import MAX_PIXELS, MEMORY
from shared.domain.errors import Unavailable
from shared.domain.ports import RenderingError
from testing.documents import pdf


def written_pdf(page: str = "/MediaBox [0 0 200 100]", content: bytes = b"", trailer: str = "") -> bytes:
    """A PDF of one page, written by hand."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        f"<< /Type /Page /Parent 2 0 R {page} /Contents 4 0 R >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = f"trailer << /Size 5 /Root 1 0 R {trailer} >>".encode()
    return out + b"xref\n0 5\n0000000000 65535 f \n" + table + head + b"\nstartxref\n%d\n%%%%EOF\n" % len(out)


PROTECTED = written_pdf(
    trailer=f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >> /ID [<41> <41>]"
)


@pytest.fixture
def renderer() -> PageRenderer:
    """A renderer whose child is not started yet."""
    return PageRenderer()


def refusal(renderer: PageRenderer, data: bytes, page: int = 0, most: int = 3, dpi: int = 72) -> str:
    """Why a PDF is not rendered."""
    with pytest.raises(RenderingError) as found:
        renderer.render(data, dpi=dpi, page=page, most=most)
    return str(found.value)


def test_pages_are_images_in_their_resolution(renderer: PageRenderer) -> None:
    (drawn,) = renderer.render(written_pdf(), dpi=144, page=0, most=1)
    scanned = renderer.render(pdf(3), dpi=72, page=0, most=3)
    renderer.close()

    assert inspect_image(drawn) == ImageInfo("image/png", 400, 200)
    assert [inspect_image(page).media_type for page in scanned] == ["image/jpeg"] * 3


def test_each_fault_has_its_reason_and_the_next_pdf_is_rendered_all_the_same(renderer: PageRenderer) -> None:
    assert refusal(renderer, pdf(4)) == "it has 4 pages; 3 are allowed"
    assert refusal(renderer, pdf(), page=2) == "it has 1 page, and no page 2"
    assert refusal(renderer, pdf()[:200]) == "it is damaged"
    assert refusal(renderer, PROTECTED) == "it is protected by a password"
    assert len(renderer.render(pdf(4), dpi=72, page=4, most=3)) == 1
    renderer.close()


@pytest.mark.parametrize("box", ["[0 0 14400 14400]", "[0 0 2000000 3]", "[0 0 0 0]", "[0 0 1e30 1e30]"])
def test_a_page_of_any_size_is_bounded_before_it_is_rendered(renderer: PageRenderer, box: str) -> None:
    data = written_pdf(f"/MediaBox {box}")
    try:
        pages = renderer.render(data, dpi=600, page=0, most=1)
    except RenderingError:
        pages = []
    finally:
        renderer.close()

    for page in pages:
        info = inspect_image(page)
        assert info.width * info.height <= MAX_PIXELS * 1.01


def test_a_pdf_that_takes_too_long_is_refused_and_its_child_gone() -> None:
    renderer = PageRenderer()
    renderer.render(pdf(), dpi=72, page=0, most=1)
    child = renderer._child
    assert child is not None
    renderer._seconds = 1  # For this one alone: a busy machine takes longer to start a child.
    endless = b"0 0 m 100 100 l 50 9 60 8 7 6 c B\n" * 400_000

    assert refusal(renderer, written_pdf(content=endless), dpi=600) == "it takes too long to render"

    assert child.poll() is not None
    renderer._seconds = SECONDS
    assert renderer.render(pdf(), dpi=72, page=0, most=1)
    renderer.close()


def test_a_child_that_does_not_start_is_no_fault_of_the_pdf(
    renderer: PageRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(page_renderer, "_MODULE", "shared.documents.there_is_no_such_module")
        with pytest.raises(Unavailable, match="does not start"):
            renderer.render(pdf(), dpi=72, page=0, most=1)

    assert renderer.render(pdf(), dpi=72, page=0, most=1)
    renderer.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
def test_the_childs_memory_is_limited(renderer: PageRenderer) -> None:
    import resource

    renderer.render(pdf(), dpi=72, page=0, most=1)
    child = renderer._child
    assert child is not None

    assert resource.prlimit(child.pid, resource.RLIMIT_AS) == (MEMORY, MEMORY)
    renderer.close()


def test_a_child_that_died_meanwhile_costs_no_pdf(renderer: PageRenderer) -> None:
    renderer.render(pdf(), dpi=72, page=0, most=1)
    child = renderer._child
    assert child is not None
    child.kill()
    child.wait()

    assert renderer.render(pdf(), dpi=72, page=0, most=1)
    renderer.close()


def test_a_child_that_dies_over_a_pdf_costs_that_one_alone(
    renderer: PageRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer.render(pdf(), dpi=72, page=0, most=1)
    child = renderer._child
    assert child is not None
    threading.Timer(0.3, child.kill).start()
    endless = b"0 0 m 100 100 l 50 9 60 8 7 6 c B\n" * 400_000

    assert "damaged, or takes too much memory" in refusal(renderer, written_pdf(content=endless), dpi=600)
    assert renderer.render(pdf(), dpi=72, page=0, most=1)
    renderer.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_child_knows_no_secret_and_leaves_with_its_parents_stream(
    renderer: PageRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "CANARY")
    renderer.render(pdf(), dpi=72, page=0, most=1)
    child = renderer._child
    assert child is not None
    with open(f"/proc/{child.pid}/environ", "rb") as file:
        assert b"CANARY" not in file.read()
    assert child.stdin is not None
    child.stdin.close()
    deadline = time.monotonic() + 20
    while child.poll() is None and time.monotonic() < deadline:
        os.sched_yield()

    assert child.poll() == 0
    renderer.close()
