"""The scenario in force and the earlier ones: a batch lives by the scenario under which it was created."""

import threading
import uuid
from fnmatch import fnmatchcase
from pathlib import Path

from local.batch_service import json_text, openai_platform
from local.batch_service.database import Database
from local.batch_service.errors import invalid_payload
from local.batch_service.scenario import USUAL_KEY, BatchRule, CallRule, FileRule, Forwarding, Quota, Scenario, Turns


class RecordedLines:
    """The lines of an output file that was recorded, found by custom_id and read only when asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts: dict[str, int] = {}
        position = 0
        with path.open("rb") as lines:
            for line in lines:
                if line.strip():
                    self._starts[json_text.read(line)["custom_id"]] = position
                position += len(line)

    def line(self, custom_id: str) -> bytes | None:
        """Return the recorded line of that row, without its end; None where there is none."""
        start = self._starts.get(custom_id)
        if start is None:
            return None
        with self._path.open("rb") as lines:
            lines.seek(start)
            return lines.readline().rstrip(b"\n")


class Script:
    """A scenario with what it needs to be played: its id, its recording and whose turn it is."""

    def __init__(self, identifier: str, scenario: Scenario) -> None:
        self.id, self.scenario = identifier, scenario
        self.recorded = RecordedLines(Path(scenario.recorded)) if scenario.recorded else None
        self.quota: dict[str, Quota] = dict(scenario.quota)
        """Each deployment's limit; it may change while the scenario stays in force."""
        self._turns = Turns()
        self._lock = threading.Lock()

    def file_rule(self, filename: str) -> FileRule | None:
        """Return the rule for an uploaded file, and count it as used."""
        with self._lock:
            return self._turns.take("file", self.scenario.files, lambda rule: fnmatchcase(filename, rule.filename))

    def batch_rule(self, deployment: str, filename: str, metadata: dict[str, str]) -> BatchRule:
        """Return the rule for a new batch, and count it as used; without one, the platform's own ways."""

        def matches(rule: BatchRule) -> bool:
            return (
                fnmatchcase(deployment, rule.deployment)
                and fnmatchcase(filename, rule.filename)
                and all(fnmatchcase(metadata.get(key, ""), value) for key, value in rule.metadata.items())
            )

        with self._lock:
            rule = self._turns.take("batch", self.scenario.batches, matches) or BatchRule()
        if self.scenario.platform == "azure":
            return rule
        return rule.model_copy(
            update={key: value for key, value in openai_platform.OBJECTS.items() if key not in rule.model_fields_set}
        )

    def call_rule(self, method: str, path: str) -> CallRule | None:
        """Return the rule for a call, and count it as used. The path is without the route's prefix."""

        def matches(rule: CallRule) -> bool:
            return fnmatchcase(method, rule.method) and fnmatchcase(path, rule.path)

        with self._lock:
            return self._turns.take("call", self.scenario.calls, matches)


class Scripts:
    """The scenario in force, and those that batches still live by."""

    def __init__(self, database: Database, start: Scenario) -> None:
        self._database, self._start = database, start
        self._kept = {doc["id"]: doc["scenario"] for doc in database.documents("scenario")}
        self._scripts: dict[str, Script] = {}
        self.current = self.put(start)

    def put(self, scenario: Scenario) -> Script:
        """Bring a scenario into force for all that comes; raises ServiceError where its recording is amiss."""
        try:
            script = Script(f"scenario-{uuid.uuid4().hex}", scenario)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise invalid_payload(f"The recording '{scenario.recorded}' cannot be used: {error}") from error
        self._scripts[script.id] = script
        self._database.put("scenario", script.id, {"id": script.id, "scenario": scenario.model_dump(mode="json")})
        self.current = script
        return script

    def restart(self) -> None:
        """Go back to the scenario of the start, with all its turns to come."""
        self._scripts.clear()
        self.put(self._start)

    def of(self, identifier: str) -> Script:
        """Return the scenario that a batch was created under."""
        if identifier not in self._scripts:
            scenario = Scenario.model_validate(self._kept[identifier])
            self._scripts[identifier] = Script(identifier, self._with_key(scenario))
        return self._scripts[identifier]

    def _with_key(self, scenario: Scenario) -> Scenario:
        """Return the scenario with the key of the start, which isn't kept, where its rows go to the same endpoint."""
        there, now = scenario.answers, self._start.answers
        if there is None or now is None or there.url != now.url:
            return scenario
        return scenario.model_copy(update={"answers": there.model_copy(update={"key": now.key})})


def with_answers(scenario: Scenario, url: str | None, model: str | None = None, key: str | None = None) -> Scenario:
    """Return the scenario with rows forwarded to `url`, where one is given; the model is the row's own if none is."""
    if url is None:
        return scenario
    return scenario.model_copy(update={"answers": Forwarding(url=url, model=model, key=key or USUAL_KEY)})
