"""What the service does, what it does not, and where it differs from the real one: the data behind GET / and the docs.

`python -m local.batch_service.page` writes the tables into docs/batch-service.md.
"""

from local.batch_service.behaviours import api, lifecycle, platform, rows, trouble
from local.batch_service.behaviours.differences import ABSENT, DIFFERENCES, SOURCES

BEHAVIOURS = (*api.BEHAVIOURS, *lifecycle.BEHAVIOURS, *rows.BEHAVIOURS, *trouble.BEHAVIOURS, *platform.BEHAVIOURS)

__all__ = ["ABSENT", "BEHAVIOURS", "DIFFERENCES", "SOURCES"]
