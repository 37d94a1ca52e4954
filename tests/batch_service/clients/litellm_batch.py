"""A batch from upload to results, as users of litellm write it: PYTHON litellm_batch.py URL INPUT"""

import sys
import time

import litellm

url, path = sys.argv[1:]
AZURE = {
    "custom_llm_provider": "azure",
    "api_base": url,
    "api_key": "any",
    "api_version": "2025-04-01-preview",
}
OPENAI = {"custom_llm_provider": "openai", "api_base": f"{url}/openai/v1", "api_key": "any"}
for place in (AZURE, OPENAI):
    with open(path, "rb") as source:
        file = litellm.create_file(file=source, purpose="batch", **place)
    batch = litellm.create_batch(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", **place
    )
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.05)
        batch = litellm.retrieve_batch(batch_id=batch.id, **place)
    content = litellm.file_content(file_id=batch.output_file_id, **place)
    print(batch.status, len(content.text.strip().split("\n")))
