"""The outcomes of all batches → the result files, and the end of the job.

assembly          the step
source_rows       the prompt file's rows, as the result files need them
result_columns    which columns they have
row_writer        rows and outcomes → the files of shared.results
typed_table       the typed columns of results.parquet
source_documents  the documents of failed rows, for errors.jsonl
judging           the decision about the rest of a job whose pilot is collected
"""
