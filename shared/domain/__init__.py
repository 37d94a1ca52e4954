"""What exists and what is decided: records, ports, errors, names and decisions. No clock, no I/O, no SDK.

model           the records and states: Job, Batch, Row, Outcome, and the codes
ports           what the app needs from the world, as Protocols; batch_service is the service's
errors          what can go wrong, by what the caller has to do about it
lifecycle       the decisions: what is due, how long to wait, which rows are asked again, how a job ends
blob_names      where a job's blobs lie
status_report   status.json
estimate        what a job may use and cost; ledger what the month has cost
"""
