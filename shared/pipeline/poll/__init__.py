"""The timer's tick: ask the service, write down the news, queue what is due, repair what was lost.

polling           the tick
open_jobs         the jobs that it is about
status_queries    what to ask the service, in as few calls as there are
status_updates    what the answers change
side_by_side      several resources, asked at the same time
unknown_batches   batches in the service's list that no open job knows
lost_events       prompt files whose event never came
"""
