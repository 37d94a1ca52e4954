"""Jobs with images and documents, from the drop to the result files, on the ports in memory."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.model import Batch
from shared.domain.ports import Container
from shared.pipeline import job_control, steps
from shared.pipeline.build import prefetch, run_ends
from shared.requests.batch_file import BatchFileWriter
from testing.documents import image, large_png, pdf
from tests.reliability.simulation import Killed, Simulation

PNG, JPEG = image(), image("JPEG", color="olive")


@pytest.fixture
def job() -> "Job":
    """A simulation with some files in the folder `f`."""
    return Job()


class Job:
    """One file's jobs, and what they wrote."""

    def __init__(self, **settings: str) -> None:
        self.world = Simulation(**settings)
        self.app = self.world.host()
        self.world.tick(self.app)
        self.world.clock.advance(60)
        for name, data in {"a.png": PNG, "b.jpg": JPEG, "two.pdf": pdf(2), "n.txt": "Grüße".encode()}.items():
            self.put(f"f/{name}", data)

    def put(self, name: str, data: bytes) -> None:
        """Put a blob beside the prompt files."""
        self.world.files.write(Container.PROMPTS, name, data)

    def begin(self, name: str, content: str, **settings: Any) -> None:
        """Drop a file and deliver its event."""
        self.world.drop(name, content, **{"required": "x", **settings})
        self.world.event(self.app, name)

    def run(self, name: str, content: str, **settings: Any) -> dict[str, Any]:
        """Drop a file, and go on until its job has ended; return the job's status."""
        self.begin(name, content, **settings)
        self.go_on(60)
        return self.status(name)

    def go_on(self, minutes: int) -> None:
        """Let time pass."""
        for _ in range(minutes):
            self.world.tick(self.app)
            self.world.deliver(self.app)
            self.world.clock.advance(60)

    def status(self, name: str) -> dict[str, Any]:
        """The newest status.json of a file."""
        found: dict[str, Any] = json.loads(self._files(Container.RESULTS, name, "/status.json")[-1])
        return found

    def lines(self, name: str, file: str) -> list[dict[str, Any]]:
        """The lines of a result file of the newest job."""
        return [json.loads(line) for line in self._files(Container.RESULTS, name, f"/{file}")[-1].splitlines()]

    def requests(self, key: str = "00000-1", job_id: str = "") -> list[dict[str, Any]]:
        """The requests of a batch, of the newest job where none is named."""
        text = self._files(Container.WORK, job_id, f"/batch-{key}/input.jsonl")[-1]
        return [json.loads(line) for line in text.splitlines()]

    def _files(self, container: Container, prefix: str, ending: str) -> list[bytes]:
        names = [blob.name for blob in self.world.files.blobs(container, prefix=prefix) if blob.name.endswith(ending)]
        return [b"".join(self.world.files.read(container, name)) for name in names]


def urls(request: dict[str, Any]) -> list[str]:
    """The addresses of a chat request's images."""
    parts = request["body"]["messages"][-1]["content"]
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


def as_url(data: bytes, kind: str) -> str:
    """A file as data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def test_images_are_sent_as_the_files_hold_them_and_results_name_their_paths(job: Job) -> None:
    table = "Custom ID,Prompt,Image,Image 2\none,What?,a.png,b.jpg\ntwo,plain,,\nthree,,/f/b.jpg,\n"

    status = job.run("f/t.csv", table)

    assert status["rows"]["succeeded"] == 3
    one, two, three = job.requests()
    assert urls(one) == [as_url(PNG, "png"), as_url(JPEG, "jpeg")]
    assert two["body"]["messages"][-1]["content"] == "plain"
    assert urls(three) == [as_url(JPEG, "jpeg")]
    assert [line["input"]["Image"] for line in job.lines("f/t.csv", "results.jsonl")] == ["a.png", "", "/f/b.jpg"]
    assert status["estimate"]["input_tokens"] < 1500


def test_each_bad_image_is_its_rows_error_with_the_reason_and_the_path(job: Job) -> None:
    bad = {
        "gone.png": None,
        "text.png": b"hello",
        "cut.png": PNG[:-9],
        "empty.png": b"",
        "large.png": large_png(20 * 1024 * 1024),
        "many.pdf": pdf(11),
        "cut.pdf": pdf()[:300],
        "large.pdf": pdf() + bytes(20 * 1024 * 1024),
    }
    for name, data in bad.items():
        if data is not None:
            job.put(f"f/{name}", data)
    table = "Custom ID,Prompt,Image\n" + "".join(f"{name},x,{name}\n" for name in [*bad, "a.png"])

    status = job.run("f/t.csv", table)

    assert (status["rows"]["succeeded"], status["rows"]["failed"]) == (1, len(bad))
    errors = {line["custom_id"]: line for line in job.lines("f/t.csv", "errors.jsonl")}
    said = {name: (line["error"]["code"], line["error"]["message"]) for name, line in errors.items()}
    assert said["gone.png"][0] == "image_missing"
    assert {code for name, (code, _) in said.items() if name != "gone.png"} == {"image_unsupported"}
    assert all(f"/f/{name}" in message for name, (_, message) in said.items())
    reasons = {"text.png": "another kind", "cut.png": "ends early", "empty.png": "empty", "large.png": "20 MB"}
    reasons |= {"many.pdf": "11 pages", "cut.pdf": "damaged", "large.pdf": "20 MB"}
    assert {name: reason for name, reason in reasons.items() if reason not in said[name][1]} == {}
    assert all(line["source"] == {"Custom ID": name, "Prompt": "x", "Image": name} for name, line in errors.items())


def test_a_path_that_no_blob_can_have_is_its_rows_error_and_storage_is_not_asked_for_it(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage would refuse the call, and the job would wait for a setting to be corrected."""
    fetch = job.world.files.fetch
    asked: list[str] = []

    def noted(container: Container, name: str, most: int) -> Callable[[], bytes]:
        asked.append(name)
        return fetch(container, name, most)

    monkeypatch.setattr(job.world.files, "fetch", noted)
    paths = ["a" * 1025 + ".png", "a\x01.png", "d/" * 254 + "a.png", "a.png"]
    lines = [json.dumps({"custom_id": str(place), "prompt": "x", "image": path}) for place, path in enumerate(paths)]

    status = job.run("f/t.jsonl", "\n".join(lines))

    assert status["errors"] == {"image_missing": 3}
    assert asked == ["f/a.png"]


def test_failed_rows_hold_addresses_and_can_be_dropped_again(job: Job) -> None:
    job.world.service.rows = {"p": ["400"], "i": ["400"]}
    job.run("f/t.csv", "Custom ID,Prompt,Image\np,x,two.pdf\ni,x,a.png\ngone,x,gone.png\n")
    errors = job.lines("f/t.csv", "errors.jsonl")

    assert [urls(line) for line in errors if "body" in line] == [
        ["blob:/f/two.pdf#page=1", "blob:/f/two.pdf#page=2"],
        ["blob:/f/a.png"],
    ]
    sent = [urls(request) for request in job.requests()]

    job.world.service.rows = {}
    job.put("f/gone.png", PNG)
    again = job.run("f/errors.jsonl", "".join(json.dumps(line) + "\n" for line in errors))

    assert again["rows"]["succeeded"] == 3
    assert [urls(request) for request in job.requests()] == [*sent, [as_url(PNG, "png")]]


def test_a_follow_up_sends_the_same_bytes_whatever_became_of_the_file(job: Job) -> None:
    job.world.service.rows = {"a": ["500", "ok"]}
    job.begin("f/t.csv", "Custom ID,Prompt,Image\na,x,a.png\n")
    job.put("f/a.png", JPEG)
    job.go_on(60)

    assert job.status("f/t.csv")["rows"]["succeeded"] == 1
    assert urls(job.requests("00000-2")[0]) == urls(job.requests()[0]) == [as_url(PNG, "png")]


def test_a_retry_reads_the_files_anew(job: Job) -> None:
    job.world.service.rows = {"a": ["400"]}
    job.run("f/t.csv", "Custom ID,Prompt,Image\na,x,a.png\n")
    job.world.service.rows = {}
    job.put("f/a.png", JPEG)

    retried = job_control.retry(job.app, job.world.jobs()[0].job_id)
    steps.queue_due(job.app, retried.job_id)
    job.go_on(60)

    assert urls(job.requests(job_id=retried.job_id)[0]) == [as_url(JPEG, "jpeg")]


def test_a_list_makes_a_row_of_each_file_in_the_order_of_its_lines(job: Job) -> None:
    job.put("f/in/c.png", PNG)
    job.put("f/data.csv", b"Prompt\n1\n")
    status = job.run("f/all.files", "# all\n*.pdf\n**/*\n")

    assert status["rows"] == {"total": 5, "succeeded": 5, "failed": 0, "pending": 0, "reused": 0}
    rows = job.lines("f/all.files", "results.jsonl")
    assert [row["custom_id"] for row in rows] == ["f/two.pdf", "f/a.png", "f/b.jpg", "f/in/c.png", "f/n.txt"]
    assert rows[3]["input"] == {
        "File": "f/in/c.png",
        "Name": "c.png",
        "Folder": "f/in",
        "Bytes": len(PNG),
        "Modified": "2026-11-22T10:16:00Z",
    }
    pages, *_, text = job.requests()
    assert len(urls(pages)) == 2
    assert text["body"]["messages"][-1]["content"] == "Grüße"


def test_what_a_list_leaves_out_is_said_in_the_warnings_of_its_job_and_of_its_retry(job: Job) -> None:
    job.put("f/SCAN.PNG", PNG)
    job.world.service.rows = {"f/a.png": ["400"]}
    expected = [
        "1 pattern of the list matched no file: line 2.",
        "1 file was left out, as the list's patterns differ in capital and small letters: /f/SCAN.PNG.",
    ]

    assert job.run("f/all.files", "*.png\n*.tif\n")["warnings"] == expected

    retried = job_control.retry(job.app, job.world.jobs()[0].job_id)
    steps.queue_due(job.app, retried.job_id)
    job.go_on(60)
    assert job.world.status(job.world.jobs()[-1])["warnings"] == expected


def test_a_folder_that_is_listed_like_an_empty_file_is_no_row(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """As storage with a hierarchical namespace lists it; only when asked for it shows that it is a folder."""
    job.put("f/sub", b"")
    job.put("f/none", b"")
    job.put("f/sub/c.png", PNG)
    info = job.world.files.info
    monkeypatch.setattr(job.world.files, "info", lambda *where: None if where[1] == "f/sub" else info(*where))

    status = job.run("f/all.files", "**\n")

    assert [line["custom_id"] for line in job.lines("f/all.files", "errors.jsonl")] == ["f/none"]
    assert status["rows"]["succeeded"] == 5


def test_files_that_come_later_belong_to_the_next_list(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.world.service.fail("create", "unavailable", 3)
    job.begin("f/all.files", "*.png\n")
    job.put("f/late.png", PNG)
    job.go_on(60)
    assert job.status("f/all.files")["rows"]["total"] == 1

    assert job.run("f/all.files", "*.png\n")["rows"]["total"] == 2


@pytest.mark.parametrize(
    ("content", "code"), [("*.tif\n", "empty_file"), ("", "empty_file"), ("../*\n", "invalid_file")]
)
def test_a_list_that_names_nothing_fails_its_job_with_the_reason(job: Job, content: str, code: str) -> None:
    status = job.run("f/all.files", content)

    assert (status["state"], status["code"]) == ("failed", code)


def test_texts_that_are_none_are_their_rows_errors(job: Job) -> None:
    job.put("f/latin.txt", "Grüße".encode("latin-1"))
    job.put("f/long.txt", b"a" * (1024 * 1024 + 1))
    job.put("f/empty.txt", b"")
    job.put("f/old.doc", b"\xd0\xcf\x11\xe0")

    status = job.run("f/all.files", "*.txt\n*.doc\n")

    assert status["errors"] == {"document_unsupported": 4}
    job.put("f/latin.txt", "Grüße".encode())
    again = job.run(
        "f/errors.jsonl", "".join(json.dumps(one) + "\n" for one in job.lines("f/all.files", "errors.jsonl"))
    )
    assert again["rows"]["succeeded"] == 1


def test_a_failed_row_of_a_text_file_holds_its_text(job: Job) -> None:
    job.world.service.rows = {"f/n.txt": ["400"]}
    job.run("f/all.files", "n.txt\n")

    (error,) = job.lines("f/all.files", "errors.jsonl")
    assert error["body"]["messages"][-1]["content"] == "Grüße"


def test_documents_are_never_jobs_of_their_own(job: Job) -> None:
    for name in ("f/a.png", "f/two.pdf", "f/n.txt"):
        job.world.event(job.app, name)

    assert job.world.jobs() == []


def test_at_most_eight_documents_are_in_hand_and_all_come_in_order(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    open_now: set[str] = set()
    most = 0
    fetch = job.world.files.fetch

    def counted(container: Container, name: str, size: int) -> Callable[[], bytes]:
        nonlocal most
        begun.append(name)
        open_now.add(name)
        most = max(most, len(open_now))
        wait = fetch(container, name, size)

        def waited() -> bytes:
            open_now.discard(name)
            return wait()

        return waited

    monkeypatch.setattr(job.world.files, "fetch", counted)
    names = [f"{number:03}.png" for number in range(60)]
    for name in names[::2]:
        job.put(f"f/{name}", image(size=(int(name[:3]) + 1, 2)))
    table = "Custom ID,Prompt,Image\n" + "".join(f"{name},x,{name}\n" for name in names)

    status = job.run("f/t.csv", table)

    assert (status["rows"]["succeeded"], status["errors"]) == (30, {"image_missing": 30})
    assert most == prefetch.AHEAD
    assert begun == [f"f/{name}" for name in names]
    assert [request["custom_id"] for request in job.requests()] == names[::2]
    assert [line["custom_id"] for line in job.lines("f/t.csv", "errors.jsonl")] == names[1::2]


def _slowed(job: Job, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let fetching a document take half a minute; return the names of those that are fetched."""
    fetched: list[str] = []
    fetch = job.world.files.fetch

    def slow(container: Container, name: str, size: int) -> Callable[[], bytes]:
        fetched.append(name)
        job.world.clock.advance(30)
        return fetch(container, name, size)

    monkeypatch.setattr(job.world.files, "fetch", slow)
    monkeypatch.setattr(run_ends, "RUN", timedelta(minutes=5))
    return fetched


def _with_scans(**settings: str) -> Job:
    """A job's world with twenty images of different sizes, but for one."""
    job = Job(**settings)
    for number in range(20):
        if number != 3:
            job.put(f"f/{number:02}.png", image(size=(number + 1, 2)))
    return job


SCANS = "Custom ID,Prompt,Image\n" + "".join(f"{number:02},x,{number:02}.png\n" for number in range(20))


@pytest.mark.parametrize("most", ["3", "100"])
def test_building_goes_on_in_the_next_run_behind_what_was_built(most: str, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, job = (_with_scans(MAX_REQUESTS_PER_BATCH=most) for _ in range(2))
    expected = straight.run("f/t.csv", SCANS)
    fetched = _slowed(job, monkeypatch)

    job.begin("f/t.csv", SCANS)

    assert job.world.jobs()[0].built is False
    job.go_on(120)
    status = job.status("f/t.csv")
    assert {**status["rows"], **status["errors"]} == {**expected["rows"], **expected["errors"]}
    assert status["estimate"] == expected["estimate"]
    # But for those that were fetched ahead when a run was over, each document was fetched once.
    assert len(fetched) <= 20 + prefetch.AHEAD
    assert fetched.count("f/03.png") == 1
    assert max(batch["requests"] for batch in status["batches"]) <= int(most)
    sent = [request for number in range(len(status["batches"])) for request in job.requests(f"{number:05}-1")]
    assert sent == [one for number in range(len(expected["batches"])) for one in straight.requests(f"{number:05}-1")]


def test_a_pilot_is_the_same_however_many_runs_building_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth row has no image, which the first run has found out."""
    straight, job = _with_scans(), _with_scans()
    settings: dict[str, Any] = {"pilot": {"rows": 6, "min_ok": 0}}
    straight.run("f/t.csv", SCANS, **settings)
    fetched = _slowed(job, monkeypatch)

    job.run("f/t.csv", SCANS, **settings)

    def pilot_of(found: Job) -> list[str]:
        batches = found.status("f/t.csv")["batches"]
        keys = [f"{number:05}-1" for number, batch in enumerate(batches) if batch["pilot"]]
        return [request["custom_id"] for key in keys for request in found.requests(key)]

    assert len(set(fetched)) < len(fetched) <= 20 + prefetch.AHEAD
    assert len(pilot_of(straight)) == 6
    assert pilot_of(job) == pilot_of(straight)


def test_a_job_none_of_whose_documents_can_be_sent_comes_to_its_end_however_long_each_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = Job()
    for number in range(20):
        job.put(f"f/{number:02}.png", b"no image")
    fetched = _slowed(job, monkeypatch)

    job.begin("f/t.csv", SCANS)

    assert job.world.jobs()[0].built is False
    job.go_on(60)
    status = job.status("f/t.csv")
    assert (status["code"], status["errors"]) == ("no_valid_rows", {"image_unsupported": 20})
    assert len(fetched) <= 20 + prefetch.AHEAD


def test_a_run_that_dies_where_it_ends_its_batches_costs_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    job = _with_scans()
    _slowed(job, monkeypatch)
    commit = BatchFileWriter.commit
    deaths = iter([True])

    def dying(writer: BatchFileWriter) -> Batch:
        if next(deaths, False):
            raise Killed
        return commit(writer)

    monkeypatch.setattr(BatchFileWriter, "commit", dying)

    with pytest.raises(Killed):
        job.begin("f/t.csv", SCANS)
    job.world.clock.advance(700)
    job.go_on(120)

    assert job.status("f/t.csv")["rows"]["succeeded"] == 19


def test_a_row_whose_images_are_larger_than_a_batch_is_too_large() -> None:
    job = Job(MAX_BYTES_PER_BATCH="100000")
    job.put("f/large.png", large_png(60_000))

    status = job.run("f/t.csv", "Custom ID,Prompt,Image,Image 2\na,x,large.png,large.png\nb,x,large.png,\n")

    assert status["errors"] == {"row_too_large": 1}
    assert "source" in job.lines("f/t.csv", "errors.jsonl")[0]
