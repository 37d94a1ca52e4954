"""How batches are created, checked and run: behaviours, each with its source and its test."""

from local.batch_service.behaviours.records import Behaviour, rows

BEHAVIOURS: tuple[Behaviour, ...] = (
    *rows(
        "Batches",
        ("Creation answers 201", "SPEC", "test_batches.py::test_creation_answers_201"),
        (
            "A batch over a file that is not `processed` is refused with 400",
            "openai-dotnet#312",
            "test_batches.py::test_a_batch_over_a_file_that_is_not_processed_is_refused",
        ),
        (
            "An unknown file, a window other than 24h, an unknown endpoint, metadata beyond 16 pairs, 64 and 512 "
            "characters, or with values that are not strings, is refused with 400",
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
            "Output comes in another order than the input",
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
    *rows(
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
            "A blank last line is not a fault; `blank_last_line` makes it `invalid_json_line`, as any other blank line",
            "OURS",
            "test_validation.py::test_a_blank_last_line_is_no_fault_unless_the_scenario_says_so",
        ),
        (
            "Only `\\n` ends a line",
            "OURS",
            "test_validation.py::test_line_separators_within_strings_are_data",
        ),
    ),
    *rows(
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
    *rows(
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
    *rows(
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
