"""The outside world behind the ports of shared.domain: the only room that knows azure, openai and HTTP.

blob_files        prompt files, work files and results in Blob Storage; blob_links, block_writer and transfers help
table_store       jobs and batches in Table Storage; table_entities turns records into rows, table_rows does the calls
table_ledger      the month's money, in the same table
storage_queues    the two queues and their messages
openai_batches    the batch service; openai_objects reads what it gives, openai_errors what it refuses
web_hook          notices over HTTP
storage_errors    Azure's refusals in the app's own words; retry_after reads how long to wait
page_renderer     pages of PDFs, rendered in a child process
"""
