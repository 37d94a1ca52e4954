"""What a job costs: tokens and prices, the estimate, the caps and the pilot. All of it pure: no clock, no I/O.

tokens           how many tokens a text has, by the encoding o200k_base; request_tokens: a whole request
sample           a job's requests, measured on some of them
estimate         what the job will use and cost
budget_and_caps  whether it may be sent, or is held
pilot            which rows are sent first, and what their answers say about the rest
prices           what an answer cost
"""
