"""How the API is reached, and its files: behaviours, each with its source and its test."""

from local.batch_service.behaviours.records import Behaviour, rows

BEHAVIOURS: tuple[Behaviour, ...] = (
    *rows(
        "Routes and keys",
        (
            "The official client works on `/openai` with any api-version from 2024-07-01-preview on, on `/openai/v1` "
            "and on `/v1`",
            "SPEC, V1",
            "test_clients.py::test_the_sync_client_runs_a_batch_to_its_end",
        ),
        ("So does the async client", "OPENAI", "test_clients.py::test_the_async_client_runs_a_batch_and_cancels_it"),
        (
            "So does the openai package for Node",
            "OPENAI",
            "test_other_clients.py::test_the_openai_package_for_node_runs_batches",
        ),
        (
            "So does litellm, with `--processing 0`, as it doesn't wait for its file",
            "FIELD",
            "test_other_clients.py::test_litellm_runs_batches",
        ),
        (
            "The sample notebook's steps run unchanged with `AzureOpenAI` and 2024-10-01-preview",
            "BATCH",
            "test_notebook.py::test_the_notebooks_steps_run_unchanged",
        ),
        (
            "`api-version` is required on `/openai`, optional on the v1 routes; older versions and paths under "
            "`/deployments` answer 404",
            "SPEC, V1, openai-node#871",
            "test_calls.py::test_each_route_asks_for_its_own_version_and_the_rest_says_that_it_is_absent",
        ),
        ("A call without a key answers 401", "BATCH", "test_calls.py::test_a_call_without_a_key_is_refused"),
        (
            "A key goes as `api-key` or as `Authorization: Bearer`; any will do unless the scenario names some",
            "V1, OURS",
            "test_calls.py::test_a_scenario_can_demand_a_key",
        ),
        (
            'Errors are `{"error": {"code", "message"}}`, also for unknown methods and broken bodies',
            "SPEC",
            "test_calls.py::test_another_method_is_refused_in_the_envelope",
        ),
        (
            "`bearer` and the name of the query's `api-version` are read in any case",
            "FIELD",
            "test_calls.py::test_bearer_and_api_version_are_read_in_any_case",
        ),
        (
            "`GET /models` has a small list, on every route",
            "SPEC, V1",
            "test_types.py::test_models_are_listed_on_both_routes",
        ),
        (
            "Files, batches and models are of the types of the newest openai package",
            "OPENAI",
            "test_types.py::test_files_batches_and_models_are_of_the_clients_types",
        ),
        ("Every answer has `apim-request-id`", "FIELD", "test_calls.py::test_every_answer_has_a_request_id"),
        (
            "Every answer is as the OpenAPI description at `/openapi.json` says",
            "OPENAI, SPEC",
            "test_contract.py::test_every_answer_is_as_the_description_says",
        ),
    ),
    *rows(
        "Files",
        (
            "An upload answers 201 with `Location`",
            "SPEC",
            "test_files.py::test_an_upload_is_answered_with_201_and_a_location",
        ),
        (
            "A file is `pending`, then `processed`; `running` in between only where the scenario says so, as litellm "
            "refuses it",
            "SPEC, RECORDED, FIELD",
            "test_files.py::test_a_file_is_pending_then_processed",
        ),
        (
            "A small file may be `processed` at once",
            "BATCH",
            "test_files.py::test_a_file_is_processed_at_once_where_processing_takes_no_time",
        ),
        ("A file may end in `error` with `status_details`", "SPEC", "test_scenarios.py::test_a_file_ends_in_error"),
        ("Content comes back byte for byte", "OPENAI", "test_files.py::test_an_upload_comes_back_byte_for_byte"),
        (
            "`expires_after` is read with brackets, with dots, or as one JSON part",
            "SPEC, BATCH, OPENAI",
            "test_files.py::test_expiry_is_understood_in_all_three_ways_to_write_it",
        ),
        (
            'Expiry must be 3 to 30 days, anchored at `created_at`: `invalidPayload`, "Value for Seconds must be '
            'between 259200 and 2592000."',
            "azure-sdk-for-js#37063, any-llm#1406",
            "test_files.py::test_expiry_outside_3_to_30_days_is_refused_with_the_services_words",
        ),
        (
            "Before 2025-03-01-preview, `expires_after` is ignored and `expires_at` is not shown",
            "azure-sdk-for-js#36931, RECORDED",
            "test_files.py::test_older_api_versions_ignore_expiry_without_a_word",
        ),
        ("An expired file is gone", "SPEC", "test_files.py::test_an_expired_file_is_gone"),
        (
            'Any purpose but `batch` answers `invalidPayload`, "Invalid value for purpose."',
            "litellm#6582",
            "test_files.py::test_another_purpose_is_refused_with_the_services_words",
        ),
        (
            "An api-version from before batches refuses the purpose in the same words",
            "litellm#6582",
            "test_files.py::test_an_api_version_from_before_batches_refuses_the_purpose",
        ),
        (
            "A file part without content type is refused",
            "betalgo/openai#628",
            "test_files.py::test_a_part_without_content_type_is_refused",
        ),
        (
            "500 input files without expiry, then `quotaExceeded`",
            "LIMITS, azure-sdk-for-java#47401",
            "test_files.py::test_501_files_without_expiry_are_one_too_many",
        ),
        ("10,000 with expiry", "LIMITS", "test_files.py::test_files_with_expiry_have_a_limit_of_their_own"),
        ("Results do not count", "LIMITS", "test_files.py::test_result_files_do_not_count_against_the_limit"),
        (
            "200 MB an upload",
            "LIMITS",
            "test_files.py::test_an_upload_of_more_than_200_mb_is_refused_before_it_is_sent",
        ),
        (
            "Lists have pages, an order and a purpose",
            "OPENAI",
            "test_files.py::test_files_are_listed_newest_first_in_pages",
        ),
        (
            "A deleted file is gone, and a batch over it goes on",
            "SPEC, OURS",
            "test_files.py::test_a_deleted_file_is_gone_but_its_batch_goes_on",
        ),
    ),
)
