"""An ended batch → the outcomes of its rows, and a follow-up batch of those worth trying again.

collection        the step
downloads         the batch's files, copied into the work container while they are read
follow_up         the follow-up batch
"""
