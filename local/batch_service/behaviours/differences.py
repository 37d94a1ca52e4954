"""Where the service differs from the real one, what it lacks, and the sources behind all of it."""

from local.batch_service.behaviours.records import Absent, Difference

SOURCES = {
    "BATCH": "Microsoft Learn, Getting started with Azure OpenAI batch deployments (03/2026), with its samples",
    "LIMITS": "Microsoft Learn, batch limits and batch quota, as included in that page",
    "QUOTAS": "Microsoft Learn, Azure OpenAI quotas and limits (02/2026)",
    "BLOB": "Microsoft Learn, Configuring Azure Blob Storage for Azure OpenAI batch (11/2025)",
    "SCHEMAS": "Microsoft Learn, Structured outputs (12/2025), and refusals that users report",
    "REASONING": "Microsoft Learn, Azure OpenAI reasoning models, and refusals that users report",
    "RETIRED": "Microsoft Learn, model deprecations and retirements (10/2026)",
    "SPEC": "Azure REST API specification, AzureOpenAI authoring 2025-03-01-preview",
    "V1": "Microsoft Learn, Azure OpenAI v1 API, and its REST reference for batches",
    "OPENAI": "OpenAI's published API description and its Python client",
    "RECORDED": "a real batch of 2024-10-21, recorded in tests/data/azure-recorded",
    "FIELD": "reports of users, named where they are public",
    "OURS": "our choice, where no source says anything",
}

DIFFERENCES: tuple[Difference, ...] = (
    Difference("Seconds from upload to results", "Minutes to 24 hours and more, with no promise", "BATCH"),
    Difference(
        "Answers are made up, but for facts about known buildings, or come from `--answers URL`",
        "A model answers",
        "OURS",
    ),
    Difference(
        "Images are not decoded, so damaged pixels are not found; `https` addresses are not fetched",
        "Both are refused in the row",
        "OURS",
    ),
    Difference("Images cost no tokens", "They cost what the model's formula says", "OURS"),
    Difference(
        "Creation counts the tokens of the quota exactly",
        "It estimates them from the characters in some regions",
        "BATCH",
    ),
    Difference(
        "Any model name is a batch deployment, unless the scenario names some", "Deployments are made first", "OURS"
    ),
    Difference("Any key is right, and rights are not looked at", "Keys, Entra ID and roles", "OURS"),
    Difference("No limit on calls per second, unless the scenario has one", "30 uploads a second, and 429", "QUOTAS"),
    Difference(
        "Expiry from 3 days on is taken; `limits.expiry_seconds` changes that",
        "14 days by the documents, 3 days by what users see",
        "SPEC, azure-sdk-for-js#37063",
    ),
    Difference(
        "Where `tool_choice` is left to the model, it calls the first function, unless a schema is asked for",
        "The model decides",
        "OURS",
    ),
    Difference(
        "Tools other than functions, and `logprobs` of Responses, are ignored",
        "Other tools run at the service",
        "OPENAI",
    ),
    Difference("A row of a retired model: 410, with a text of ours", "410 Gone; its text is unknown", "RETIRED"),
    Difference(
        "Reasoning models refuse a developer message beside a system message in words of ours",
        "Refused; the text is unknown",
        "REASONING",
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
    Difference("Blank lines are `invalid_json_line`, but for the last ones", "Unknown", "OURS"),
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
    Difference(
        "With `--platform openai`, answers still carry Azure's content filter results, and model names are free",
        "There are none, and models are OpenAI's",
        "OPENAI",
    ),
    Difference("Names of result files, `{batch}_output.jsonl`", "Unknown", "OURS"),
)

ABSENT: tuple[Absent, ...] = (
    Absent("`POST /files/import`", "SPEC"),
    Absent("Chat completions, Responses, embeddings and every other call outside of files and batches", "OPENAI"),
    Absent("Webhooks", "BATCH"),
    Absent("Purposes other than `batch`: fine-tuning, assistants, evaluations", "SPEC"),
)
