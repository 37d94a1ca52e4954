"""Lines of a batch's output and error files → one checked outcome for each row.

matching        lines matched to rows, in the rows' order; spilled_lines keeps what does not fit into memory
common_case     the answers that went as they should, read in the fewest steps
lines           all other answers; bodies and failures say what is in them
validation      answers held against their schemas
outcomes        outcomes as lines of a file, merged from several files
tally, verdict  what the outcomes of a batch add up to, and what the user should know of them
"""
