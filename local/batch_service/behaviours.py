"""What the service does, what it does not, and where it differs from the real one: the data behind GET / and the docs.

`python -m local.batch_service.page` writes the tables into docs/batch-service.md.
"""

from dataclasses import dataclass

SOURCES = {
    "BATCH": "Microsoft Learn, Getting started with Azure OpenAI batch deployments (03/2026), with its samples",
    "LIMITS": "Microsoft Learn, batch limits and batch quota, as included in that page",
    "QUOTAS": "Microsoft Learn, Azure OpenAI quotas and limits (02/2026)",
    "BLOB": "Microsoft Learn, Configuring Azure Blob Storage for Azure OpenAI batch (11/2025)",
    "SCHEMAS": "Microsoft Learn, Structured outputs (12/2025), and refusals that users report",
    "SPEC": "Azure REST API specification, AzureOpenAI authoring 2025-03-01-preview",
    "V1": "Microsoft Learn, Azure OpenAI v1 API, and its REST reference for batches",
    "OPENAI": "OpenAI's published API description and its Python client",
    "RECORDED": "a real batch of 2024-10-21, recorded in tests/data/azure-recorded",
    "FIELD": "reports of users, named where they are public",
    "OURS": "our choice, where no source says anything",
}


@dataclass(frozen=True)
class Behaviour:
    """One thing that the service does as the real one does, its source, and the test that holds it to that."""

    area: str
    text: str
    source: str
    test: str


@dataclass(frozen=True)
class Difference:
    """One thing that is otherwise here than there, or that nobody knows of the real service."""

    here: str
    there: str
    source: str


@dataclass(frozen=True)
class Absent:
    """One thing that is not emulated; calls of it are answered with 501."""

    what: str
    source: str


def _rows(area: str, *rows: tuple[str, str, str]) -> list[Behaviour]:
    return [Behaviour(area, text, source, test) for text, source, test in rows]


BEHAVIOURS: tuple[Behaviour, ...] = (
    *_rows(
        "Routes and keys",
        (
            "The official client works on `/openai` with any api-version from 2024-07-01-preview on, on `/openai/v1` "
            "and on `/v1`",
            "SPEC, V1",
            "test_clients.py::test_the_sync_client_runs_a_batch_to_its_end",
        ),
        ("So does the async client", "OPENAI", "test_clients.py::test_the_async_client_runs_a_batch_and_cancels_it"),
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
        ("Every answer has `apim-request-id`", "FIELD", "test_calls.py::test_every_answer_has_a_request_id"),
        (
            "Every answer is as the OpenAPI description at `/openapi.json` says",
            "OPENAI, SPEC",
            "test_contract.py::test_every_answer_is_as_the_description_says",
        ),
    ),
    *_rows(
        "Files",
        (
            "An upload answers 201 with `Location`",
            "SPEC",
            "test_files.py::test_an_upload_is_answered_with_201_and_a_location",
        ),
        (
            "A file is `pending`, then `running`, then `processed`",
            "SPEC, RECORDED",
            "test_files.py::test_a_file_is_pending_then_running_then_processed",
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
            "Expiry must be 14 to 30 days, anchored at `created_at`",
            "SPEC, BATCH",
            "test_files.py::test_expiry_outside_14_to_30_days_is_refused",
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
    *_rows(
        "Batches",
        ("Creation answers 201", "SPEC", "test_batches.py::test_creation_answers_201"),
        (
            "A batch over a file that is not `processed` is refused with 400",
            "openai-dotnet#312",
            "test_batches.py::test_a_batch_over_a_file_that_is_not_processed_is_refused",
        ),
        (
            "An unknown file, a window other than 24h, an unknown endpoint, metadata beyond 16 pairs, 64 and 512 "
            "characters, or with values that are no strings, is refused with 400",
            "BATCH, OPENAI, litellm#29228",
            "test_batches.py::test_a_batch_that_is_asked_for_wrongly_is_refused",
        ),
        (
            "`validating`, `in_progress`, `finalizing`, `completed` follow the clock, and counts rise",
            "BATCH, RECORDED",
            "test_batches.py::test_status_follows_the_clock_and_counts_rise",
        ),
        ("States come in the recorded order", "RECORDED", "test_recorded.py::test_statuses_come_in_the_recorded_order"),
        (
            "Objects differ from the recorded ones only in ids and times",
            "RECORDED",
            "test_recorded.py::test_our_objects_differ_from_the_recorded_ones_only_in_ids_and_times",
        ),
        (
            "So do output lines, but for estimated token counts and the answers' words",
            "RECORDED",
            "test_recorded.py::test_generated_lines_differ_from_the_recorded_ones_only_in_ids_times_token_counts_and_words",
        ),
        ("A poller may skip states", "OURS", "test_batches.py::test_a_poller_may_skip_states"),
        (
            "Output has an order of its own",
            "BATCH",
            "test_batches.py::test_output_is_shuffled_and_alike_each_time",
        ),
        (
            "Output lines have no top-level `id`, and a UUID as `request_id`",
            "BATCH, RECORDED",
            "test_batches.py::test_output_lines_are_as_azure_writes_them",
        ),
        (
            "Full success leaves an empty error file",
            "BATCH, RECORDED",
            "test_batches.py::test_full_success_leaves_an_empty_error_file",
        ),
        (
            "All rows failed: `completed` without output file",
            "litellm#33987",
            "test_batches.py::test_all_failed_leaves_no_output_file",
        ),
        (
            "`cancelling`, then `cancelled`, with what was done, and that is billed",
            "BATCH",
            "test_batches.py::test_cancelling_ends_in_cancelled_with_what_was_done",
        ),
        (
            "`expired` with what was done",
            "BATCH",
            "test_scenarios.py::test_a_batch_expires_with_what_was_done",
        ),
        (
            "A batch may run past 24 hours and still complete",
            "BATCH",
            "test_scenarios.py::test_a_batch_runs_past_24_hours_and_still_completes",
        ),
        (
            "`output_expires_after` gives the results an expiry",
            "SPEC",
            "test_batches.py::test_results_expire_when_asked_to",
        ),
        (
            "Lists have `after` and `limit`, 20 by default",
            "SPEC",
            "test_batches.py::test_batches_are_listed_newest_first_in_pages",
        ),
        (
            "`$filter` compares, with `and`, `or`, `not` and brackets; texts without case",
            "SPEC, BATCH",
            "test_batches.py::test_lists_are_filtered_as_odata",
        ),
        ("`$orderby`", "SPEC", "test_batches.py::test_lists_are_ordered_as_odata"),
        (
            "Responses requests get Responses answers, in the file's own url",
            "BATCH",
            "test_batches.py::test_a_responses_file_gives_responses",
        ),
        (
            "Whatever the order of steps, states go forward, and every row is answered and billed at most once",
            "OURS",
            "test_state_machine.py::test_no_order_of_steps_breaks_the_service",
        ),
    ),
    *_rows(
        "Validation",
        (
            "`empty_file`, `invalid_json_line`, `duplicate_custom_id`, `url_mismatch`, `model_mismatch`, "
            "`invalid_request`, each with its line, after a creation that succeeded",
            "BATCH",
            "test_validation.py::test_a_wrong_file_fails_its_batch_with_the_services_code",
        ),
        ("All wrong lines are named, up to 100", "OURS", "test_validation.py::test_every_wrong_line_is_named"),
        (
            'A byte order mark gives "A valid model deployment name couldn\'t be extracted …"',
            "BATCH",
            "test_validation.py::test_a_byte_order_mark_hides_the_model",
        ),
        ("`too_many_tasks` above 100,000", "LIMITS", "test_validation.py::test_100001_requests_are_too_many"),
        ("`model_not_found`", "BATCH", "test_validation.py::test_an_unknown_deployment_is_not_found"),
        (
            "A deployment whose SKU is not for batches gives `invalid_request`",
            "BATCH",
            "test_validation.py::test_a_standard_deployment_cannot_run_batches",
        ),
        (
            "The lines choose the API, whatever chat endpoint the batch names",
            "BATCH",
            "test_validation.py::test_the_lines_choose_the_api_unless_the_endpoint_is_responses",
        ),
        (
            "Only `\\n` ends a line",
            "OURS",
            "test_validation.py::test_line_separators_within_strings_are_data",
        ),
    ),
    *_rows(
        "Quota",
        (
            "Over the limit: creation answers 400 `token_limit_exceeded` in some regions",
            "BATCH",
            "test_quota.py::test_the_immediate_refusal_is_a_400_that_names_the_limit",
        ),
        (
            "In the others the batch fails after its validation, in the words that users saw",
            "Microsoft Q&A 2285577",
            "test_quota.py::test_the_late_refusal_fails_the_batch_after_validation",
        ),
        ("Tokens are held until the batch ends", "LIMITS", "test_quota.py::test_tokens_are_held_until_the_batch_ends"),
        (
            "`deployment-enqueued-tokens` and `deployment-maximum-enqueued-tokens` on creation and lists",
            "SPEC",
            "test_quota.py::test_the_headers_tell_the_tokens_enqueued_and_the_limit",
        ),
    ),
    *_rows(
        "Own storage",
        (
            'Results go to `{output_folder}/{GUID}/results.jsonl`; the paths are `""` until the end',
            "BLOB",
            "test_own_storage.py::test_results_are_written_to_a_folder_of_their_own",
        ),
        (
            "The error path is always told, and written only where a row failed",
            "BLOB",
            "test_own_storage.py::test_errors_are_written_only_where_there_are_any",
        ),
        ("`input_no_permissions`", "BATCH", "test_own_storage.py::test_an_input_that_cannot_be_read_fails_validation"),
        ("`input_modified`", "BATCH", "test_own_storage.py::test_an_input_that_changes_fails_the_batch"),
        (
            "No metadata, no `input_file_id` beside it",
            "BLOB",
            "test_own_storage.py::test_own_storage_has_its_own_creation_rules",
        ),
        ("1 GB an input blob", "LIMITS", "test_own_storage.py::test_an_input_blob_has_its_own_size_limit"),
    ),
    *_rows(
        "Answers",
        (
            "Answers fit every schema of the strict subset, recursion included",
            "SCHEMAS",
            "test_answers.py::test_answers_fit_every_schema_of_the_strict_subset",
        ),
        (
            "A schema beyond the subset fails its row with 400, in the service's words",
            "SCHEMAS",
            "test_schema_rules.py::test_a_schema_beyond_the_subset_fails_its_row_and_no_other",
        ),
        (
            "Before 2024-08-01-preview, `json_schema` fails its row",
            "betalgo/openai#666",
            "test_schema_rules.py::test_an_api_version_before_structured_outputs_refuses_the_rows",
        ),
        (
            "The same row gets the same answer",
            "OURS",
            "test_answers.py::test_the_same_row_gets_the_same_answer_and_another_another",
        ),
        ("Known buildings get their true facts", "OURS", "test_answers.py::test_known_buildings_get_their_facts"),
        ("`max_tokens` cuts the answer", "OPENAI", "test_answers.py::test_max_tokens_cuts_the_answer"),
        (
            "Answers name the model behind the deployment",
            "BATCH, RECORDED",
            "test_answers.py::test_a_chat_answer_names_the_model_behind_the_deployment",
        ),
        (
            "`--answers URL` lets a real model answer the rows, a few at a time",
            "OURS",
            "test_forwarding.py::test_rows_are_answered_elsewhere_a_few_at_a_time",
        ),
        (
            "A recorded output file can stand in for generated answers, line for line",
            "RECORDED",
            "test_recorded.py::test_recorded_lines_are_given_out_unchanged",
        ),
    ),
    *_rows(
        "Oddities behind switches",
        (
            "`endpoint` null or shortened, empty ids, counts zero or null, `expires_at` or `in_progress_at` null, "
            "capitalised statuses",
            "BATCH, SPEC, litellm#9187",
            "test_scenarios.py::test_a_batch_object_looks_as_odd_as_documented",
        ),
        ("ISO times", "BATCH", "test_scenarios.py::test_times_are_iso_texts"),
        (
            "`expires_at` 86,396 seconds after creation",
            "BATCH",
            "test_scenarios.py::test_expiry_comes_four_seconds_early_as_in_microsofts_samples",
        ),
        (
            "`canceled`, as Microsoft's own samples spell it",
            "BATCH",
            "test_scenarios.py::test_a_cancelled_batch_is_spelt_the_american_way",
        ),
        (
            "A failed batch with the times and ids of a completed one",
            "BATCH",
            "test_scenarios.py::test_a_failed_batch_carries_the_times_and_ids_of_a_completed_one",
        ),
        (
            "`errors.data[].line` as number, text or null",
            "SPEC, OPENAI",
            "test_scenarios.py::test_error_lines_are_numbers_texts_or_null",
        ),
        ('All failed: output id `""`', "BATCH", "test_scenarios.py::test_all_failed_has_no_output_id"),
        ("All failed: an empty output file", "FIELD", "test_scenarios.py::test_all_failed_has_an_empty_output_file"),
        ("No error file where nothing failed", "OPENAI", "test_scenarios.py::test_no_error_file_where_nothing_failed"),
        (
            "Error lines for rows that never ran",
            "OPENAI",
            "test_scenarios.py::test_a_cancelled_batch_names_the_rows_it_did_not_run",
        ),
        (
            "A created batch appears in lists only later",
            "FIELD",
            "test_scenarios.py::test_a_created_batch_appears_in_lists_later",
        ),
    ),
    *_rows(
        "Faults",
        ("Calls refused with any status, `Retry-After` included", "OURS", "test_calls.py::test_a_call_is_refused"),
        (
            "Calls dropped before or after they took effect",
            "OURS",
            "test_calls.py::test_a_create_is_dropped_before_or_after_it_took_effect",
        ),
        ("Downloads that break", "OURS", "test_calls.py::test_a_download_breaks"),
        ("Downloads that are short and look whole", "OURS", "test_calls.py::test_a_download_is_short_and_looks_whole"),
        ("Slow calls", "OURS", "test_calls.py::test_a_call_is_slow"),
        ("Refusals by the model", "OPENAI", "test_scenarios.py::test_a_row_is_refused_by_the_model"),
        (
            "Content filter on the prompt: 400 with `innererror`",
            "Mirascope's captures",
            "test_scenarios.py::test_a_prompt_is_blocked_by_the_content_filter",
        ),
        ("Content filter on the answer", "BATCH", "test_scenarios.py::test_an_answer_is_blocked_by_the_content_filter"),
        ("Answers cut at their length", "OPENAI", "test_scenarios.py::test_an_answer_is_cut_at_its_length"),
        ("Answers that are no JSON", "OURS", "test_scenarios.py::test_an_answer_is_broken_json"),
        ("Answers that do not fit their schema", "OURS", "test_scenarios.py::test_an_answer_does_not_fit_its_schema"),
        ("Rows with 4xx and 5xx", "OURS", "test_scenarios.py::test_a_row_fails_with_a_status"),
        ("Failed rows in the output file", "OURS", "test_scenarios.py::test_a_failed_row_lies_in_the_output_file"),
        ("Rows never run", "OPENAI", "test_scenarios.py::test_a_row_was_never_run"),
        ("Rows missing though paid", "langchain4j#6094", "test_scenarios.py::test_a_row_is_missing_though_it_was_paid"),
        ("Rows twice", "OURS", "test_scenarios.py::test_a_row_comes_twice"),
    ),
    *_rows(
        "State",
        ("A batch in flight survives a kill", "OURS", "test_command.py::test_a_batch_in_flight_survives_a_kill"),
        (
            "Nothing is written or billed twice after a kill",
            "OURS",
            "test_command.py::test_lines_that_a_killed_service_had_not_counted_are_not_doubled",
        ),
        (
            "Every call and every billed row is in the journal",
            "OURS",
            "test_calls.py::test_the_journal_names_calls_and_billed_rows",
        ),
    ),
)

DIFFERENCES: tuple[Difference, ...] = (
    Difference("Seconds from upload to results", "Minutes to 24 hours and more, with no promise", "BATCH"),
    Difference(
        "Answers are made up, but for facts about known buildings, or come from `--answers URL`",
        "A model answers",
        "OURS",
    ),
    Difference(
        "Tokens are counted as characters through four, schema included", "The model's own tokenizer counts", "OURS"
    ),
    Difference(
        "Any model name is a batch deployment, unless the scenario names some", "Deployments are made first", "OURS"
    ),
    Difference("Any key is right, and rights are not looked at", "Keys, Entra ID and roles", "OURS"),
    Difference("No limit on calls per second, unless the scenario has one", "30 uploads a second, and 429", "QUOTAS"),
    Difference(
        "Expiry below 14 days is refused; `limits.expiry_seconds` changes that",
        "Documented so, but users see 3 days taken",
        "SPEC, azure-sdk-for-js#37063",
    ),
    Difference("Cancelling an ended batch answers 409 `conflict`", "Unknown", "OURS"),
    Difference("A wrong `completion_window` is refused with 400", "Documented as failing the job", "BATCH"),
    Difference("A batch over an unknown file is refused with 400", "The text and the code are unknown", "OURS"),
    Difference(
        "The texts of validation errors are ours, but for `empty_file`, `token_limit_exceeded` and model names",
        "Codes are documented, their texts are not",
        "BATCH",
    ),
    Difference(
        "The body of the immediate `token_limit_exceeded`", "Only that its text contains the code is known", "BATCH"
    ),
    Difference("Blank lines are `invalid_json_line`", "Unknown", "OURS"),
    Difference("`stream: true` in a row fails validation", "Unknown", "OURS"),
    Difference(
        "Cancelled and expired batches have no lines for rows that never ran; `unrun_rows` changes that",
        "Unknown on Azure; OpenAI writes `batch_expired` lines",
        "OPENAI",
    ),
    Difference(
        "Error lines are modelled on the interactive API's errors", "No real Azure error line is public", "OURS"
    ),
    Difference(
        "Keywords such as `pattern` and `minimum` are refused in strict schemas; `schemas: openai` changes that",
        "Documented as unsupported; some deployments may take them",
        "SCHEMAS",
    ),
    Difference(
        "10 levels and 5,000 properties in a schema", "5 and 100 on Microsoft's page, more by measurement", "SCHEMAS"
    ),
    Difference("A deleted input file does not hurt its batch", "Unknown", "OURS"),
    Difference("Batch quota is a number per deployment", "Also a pool per subscription, region and model", "LIMITS"),
    Difference("The service reads blobs with a connection string", "With the resource's managed identity", "BLOB"),
    Difference("Names of result files, `{batch}_output.jsonl`", "Unknown", "OURS"),
)

ABSENT: tuple[Absent, ...] = (
    Absent("`POST /files/import`", "SPEC"),
    Absent("Chat completions, Responses, embeddings and every other call outside of files and batches", "OPENAI"),
    Absent("Webhooks", "BATCH"),
    Absent("Purposes other than `batch`: fine-tuning, assistants, evaluations", "SPEC"),
)
