"""A prompt file → prepared batches.

building        the step: copy, plan, build, estimate
snapshot        the job's own copy of the prompt file
planning        the job's settings, fixed when it starts
build_pass      one pass over the rows, with request_files for what it writes
estimating      what the job will use and cost
"""
