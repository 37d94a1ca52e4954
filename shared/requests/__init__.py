"""Rows of a prompt file → batch requests, with the schema that each answer must fit.

layout            which columns mean what
custom_ids        what a row's custom id is, and whether it was used before
messages          the messages, from the row's prompt or the job's templates; empty_values warns of what these lack
response_format   the answer's schema, and how a request asks for it
skeleton          what requests share, serialised once; skeleton_cache keeps one for each kind of row
blocks            rows that are alike, some hundred at a time
ready_made        batch requests that the file brings itself, own_formats the response formats of these
builder           all of it: rows → RequestBlocks, or faults
batch_cutter      which requests go into which batch
batch_file        a batch's input file and the list of its rows, written and read back
follow_up         what is sent once more
unshown_schemas   what errors.jsonl must say of a schema
limits            how large a request may be; request_lines puts blocks together
image_requests    rows with images; row_documents finds them, body_images those of ready-made requests
request_hash      which requests ask the same; readdressed requests name another deployment
"""

from shared.requests.builder import RequestBuilder

__all__ = ["RequestBuilder"]
