"""A prompt file → prepared batches.

building        the step: copy, plan, build, estimate
snapshot        the job's own copy of the prompt file
planning        the job's settings, fixed when it starts
build_pass      one pass over the rows, with request_files for what it writes
estimating      what the job will use and cost
built           what building found; built_documents notes rows with images
carried_over    what a retry keeps of the job before it; pilot_rows: which rows are the pilot
file_rows       the rows of a .files list
prefetch        the documents of rows, fetched ahead; waiting_rows keeps the order meanwhile
run_ends        how building goes on where documents take longer than one run may
reuse           reused answers: earlier_answers fills answer_index; reused_part writes the taken_answers
"""
