"""Lines of a batch's output and error files → one checked outcome for each row.

matching        lines matched to rows, in the rows' order; spilled_lines keeps what does not fit into memory
common_case     a fast reader for ordinary answers
lines           all other answers; bodies reads replies, failures names errors
validation      answers checked against their schemas
outcomes        outcomes as lines of a file, merged from several files
tally           the outcomes of a batch, added up
batch_warnings  what the user should know about them
"""
