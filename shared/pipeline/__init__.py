"""The use cases. Each step may run twice, side by side, or stop anywhere: the end is the same.

receiving    an event for a prompt file → a reserved job
building     the prompt file → batches, prepared; by way of snapshot, planning, build_pass, request_files
submission   a prepared batch → a batch at the service, once
polling      what the service says → what is due, and what crashed or was lost
collection   an ended batch → outcomes, and a follow-up of the rows worth asking again
assembly     all outcomes → the result files
steering     cancel, release, retry, give up
reporting    status.json and latest.json
steps        doing what is due, at once or by a message
"""
