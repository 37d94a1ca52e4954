"""A local stand-in for the Files and Batch API of Azure OpenAI: `python -m local.batch_service`."""
