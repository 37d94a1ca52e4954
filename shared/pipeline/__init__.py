"""The use cases. Each step may run twice, side by side, or stop anywhere: the end is the same.

receiving       an event for a prompt file → a reserved job
build           the prompt file → prepared batches
submit          a prepared batch → a batch at the service, once
poll            the timer's tick: what the service says, what is due, what crashed or was lost
collect         an ended batch → outcomes, and a follow-up batch of the rows worth trying again
assemble        all outcomes → the result files

steps           does what is due, at once or by a message
records         a job and its batches, as one worker holds them while it works on the job
claims          which worker may do a step, by leases
target_choice   which deployment and resource a batch goes to
job_control     cancel, release, retry, give up
reporting       status.json and latest.json; notice tells NOTIFY_URL
deployment_models  which model a deployment stands for; pilot_answers what a pilot has shown
spending        what a job reserves and costs, in the month's ledger
month_total     what all jobs of a month cost
outcome_files   the outcomes of a job, read back from the work container
listing         all jobs, newest first
target_table    all targets: what is open at each, and until when each is left alone
poison          messages that failed for good
"""
