"""What a scenario makes go otherwise: behaviours, each with its source and its test."""

from local.batch_service.behaviours.records import Behaviour, rows

BEHAVIOURS: tuple[Behaviour, ...] = (
    *rows(
        "Oddities behind switches",
        (
            "`look: october_2025`: objects as a real resource showed them then",
            "FIELD",
            "test_scenarios.py::test_objects_look_as_in_a_real_resource_of_october_2025",
        ),
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
    *rows(
        "Faults",
        ("A retired model answers its rows with 410", "RETIRED", "test_scenarios.py::test_a_retired_model_answers_410"),
        (
            '"Could not finish the message because max_tokens or model output limit was reached…": 400',
            "openai-python#2886",
            "test_scenarios.py::test_a_row_runs_out_of_tokens_in_azures_words",
        ),
        (
            "Newer models comment in a separate message before the final answer",
            "openai-python#3859",
            "test_scenarios.py::test_a_newer_model_comments_before_its_final_answer",
        ),
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
        ("Answers that are not JSON", "OURS", "test_scenarios.py::test_an_answer_is_broken_json"),
        ("Answers that do not fit their schema", "OURS", "test_scenarios.py::test_an_answer_does_not_fit_its_schema"),
        ("Rows with 4xx and 5xx", "OURS", "test_scenarios.py::test_a_row_fails_with_a_status"),
        ("Failed rows in the output file", "OURS", "test_scenarios.py::test_a_failed_row_lies_in_the_output_file"),
        ("Rows never run", "OPENAI", "test_scenarios.py::test_a_row_was_never_run"),
        ("Rows missing though paid", "langchain4j#6094", "test_scenarios.py::test_a_row_is_missing_though_it_was_paid"),
        ("Rows twice", "OURS", "test_scenarios.py::test_a_row_comes_twice"),
    ),
)
