"""The timer's tick: ask the service, record what is new, queue what is due, repair what was lost.

polling           the tick
open_jobs         the open jobs as one tick sees them
status_queries    asking the service for all batches, in few calls
status_updates    what the answers change
side_by_side      several resources, asked at the same time
unknown_batches   batches in the service's list that no open job knows
lost_events       prompt files whose event never came
"""
