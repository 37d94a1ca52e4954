"""The estimate alone: what it costs to measure the requests of a job while they are built."""

import json
from itertools import islice
from typing import Any

from benchmarks.inputs import MODEL, prompt_rows
from benchmarks.measure import cost_of
from benchmarks.stand_ins import SETTINGS
from shared.domain.model import RequestBlock
from shared.pipeline.build.built import Built
from shared.pipeline.build.estimating import JobSamples
from shared.pipeline.deployment_models import DeploymentModels
from shared.requests.request_lines import block_of
from shared.settings import read_settings
from testing.memory_ledger import MemoryLedger

BLOCK = 509
SCHEMA = {"type": "object", "properties": {"Name": {"type": "string"}}, "required": ["Name"]}


def measured(rows: int) -> dict[str, Any]:
    """Estimate so many rows once, the encoding's loading included."""
    blocks = [_block(start) for start in range(0, 8 * BLOCK, BLOCK)]
    ledger = MemoryLedger()
    samples = JobSamples(DeploymentModels(read_settings(SETTINGS), ledger))

    def estimate() -> None:
        for number in range(-(-rows // BLOCK)):
            samples.add(blocks[number % len(blocks)], pilot=False)
        samples.estimate(Built(), ledger, [b"schema"])

    cost = cost_of(estimate)
    return {"rows": rows, "cpu_seconds": cost.cpu, "seconds": cost.seconds, "us_per_row": cost.cpu / rows * 1e6}


def _block(start: int) -> RequestBlock:
    lines, ids = [], []
    for custom_id, model, prompt, *_ in islice(prompt_rows(start + BLOCK), start, None):
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_completion_tokens": 100}
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
        request = {"custom_id": custom_id, "method": "POST", "url": "/chat/completions", "body": body}
        lines.append(json.dumps(request).encode())
        ids.append(custom_id)
    rows = range(start + 1, start + BLOCK + 1)
    return block_of(rows, ids, MODEL, "/chat/completions", lines, [0] * BLOCK)
