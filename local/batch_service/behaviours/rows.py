"""How rows are answered: behaviours, each with its source and its test."""

from local.batch_service.behaviours.records import Behaviour, rows

BEHAVIOURS: tuple[Behaviour, ...] = (
    *rows(
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
        (
            'Answers keep the checks that a description words, as "At least 1. At most 5."',
            "OURS",
            "test_worded_checks.py::test_made_up_values_keep_worded_checks",
        ),
        (
            "Images are checked: kind, size, number (50) and base64; a wrong one fails its row with 400",
            "QUOTAS",
            "test_images.py::test_an_image_that_the_service_refuses_fails_its_row_and_no_other",
        ),
        (
            "Answers about images take up the file's name, where the custom id is one",
            "OURS",
            "test_images.py::test_answers_about_images_take_up_the_files_name",
        ),
        (
            "Chat completions are of the type of the newest openai package",
            "OPENAI",
            "test_types.py::test_a_chat_answer_is_of_the_clients_type",
        ),
        (
            "So are Responses, `cache_write_tokens` included",
            "OPENAI",
            "test_types.py::test_a_response_is_of_the_clients_type",
        ),
        (
            "Reasoning models (`gpt-5…`, `o…`) refuse `temperature`, `top_p`, `max_tokens` and their kin with 400",
            "REASONING",
            "test_parameters.py::test_a_reasoning_model_refuses_what_it_does_not_take",
        ),
        (
            "They spend reasoning tokens, by the effort asked for",
            "REASONING",
            "test_parameters.py::test_reasoning_tokens_are_told_and_paid",
        ),
        (
            "The limit of output tokens covers the reasoning, which may leave nothing for the answer",
            "REASONING",
            "test_parameters.py::test_reasoning_takes_its_tokens_before_the_answer_does",
        ),
        (
            "`tools` are called, with arguments that fit their parameters",
            "OPENAI",
            "test_parameters.py::test_a_chat_row_with_tools_gets_a_call_that_fits_the_parameters",
        ),
        ("`n` answers", "OPENAI", "test_parameters.py::test_several_answers_to_a_row_differ"),
        ("`logprobs`, made up", "OPENAI", "test_parameters.py::test_probabilities_cover_the_content"),
        (
            "Tokens are counted with the model's own encoding, in usage and in quota",
            "RECORDED",
            "test_recorded.py::test_input_tokens_are_those_that_the_recorded_answers_name",
        ),
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
            "A busy endpoint is asked four times, and its last answer is the row's",
            "OURS",
            "test_forwarding.py::test_an_endpoint_that_stays_busy_is_asked_four_times_and_its_answer_is_the_rows",
        ),
        (
            "The endpoint's key is neither shown nor stored",
            "OURS",
            "test_forwarding.py::test_the_endpoints_key_is_sent_and_told_nowhere",
        ),
        (
            "A recorded output file can stand in for generated answers, line for line",
            "RECORDED",
            "test_recorded.py::test_recorded_lines_are_given_out_unchanged",
        ),
    ),
)
