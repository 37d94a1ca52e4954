"""The result files of a job, written side by side as its rows come, in flat memory.

files            all files at once: rows and outcomes in, files out
table            the table that results.csv, .xlsx and .parquet show: its header and its values
answer_columns   which columns an answer has; schema_walk finds them in its schema
csv_writer       results.csv
jsonl_writer     results.jsonl and errors.jsonl
xlsx_writer      results.xlsx; xlsx_cells, xlsx_parts and xlsx_widths are what it consists of
parquet_writer   results.parquet; arrow_types and arrow_columns are its types and values
chunks           how files are written; half_pairs replaces what UTF-8 cannot hold
"""

from typing import Final

CHUNK_SIZE: Final = 1024 * 1024
"""Characters or bytes that are collected before they are written."""
