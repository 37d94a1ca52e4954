"""The OpenAI platform's ways, by `--platform openai`: behaviours, each with its source and its test."""

from local.batch_service.behaviours.records import Behaviour, rows

BEHAVIOURS: tuple[Behaviour, ...] = (
    *rows(
        "The OpenAI platform",
        (
            "Only `/v1` exists, creations answer 200, output lines have an `id`, an error file only where a row failed",
            "OPENAI",
            "test_openai_platform.py::test_a_batch_runs_on_v1_alone_and_is_created_with_200",
        ),
        (
            "The key goes as `Authorization: Bearer`; errors have `type` and `param`",
            "OPENAI",
            "test_openai_platform.py::test_only_a_bearer_key_opens_it",
        ),
        (
            "Urls and endpoints begin with `/v1/`",
            "OPENAI",
            "test_openai_platform.py::test_urls_and_endpoints_begin_with_v1",
        ),
        (
            "50,000 requests a batch",
            "OPENAI",
            "test_openai_platform.py::test_more_than_50000_requests_are_too_many",
        ),
        (
            "What is not done after 24 hours expires, and the rows that never ran are named; Azure goes on",
            "OPENAI",
            "test_openai_platform.py::test_a_batch_that_is_not_done_in_24_hours_expires_and_names_the_rest",
        ),
        (
            "Enqueued tokens over the limit fail the batch, in OpenAI's words",
            "OPENAI",
            "test_openai_platform.py::test_the_quotas_refusal_is_in_openais_words",
        ),
        (
            "`mismatched_model` in place of `model_mismatch`",
            "OPENAI",
            "test_openai_platform.py::test_two_models_in_a_file_are_mismatched",
        ),
        (
            "Several resources run beside each other, one process or `running_service()` each",
            "OURS",
            "test_openai_platform.py::test_several_resources_run_beside_each_other",
        ),
    ),
)
