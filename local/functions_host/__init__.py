"""A local host for Azure Functions apps in Python (v2 model): the runtime is Microsoft's, the triggers are ours.

It is meant for a laptop and for tests, where Azure Functions Core Tools cannot be installed. What it does not do like
the real host: receipts of blob deliveries and the status of timers are kept in memory only, so that a restart delivers
every blob again; nothing sends events but a post of yours; scaling, function timeouts and `@app.retry` do not exist.
"""

from local.functions_host.functions_host import FunctionsHost
from local.functions_host.http_trigger import HttpResult
from local.functions_host.settings import Habits, SettingsError, read_local_settings
from local.functions_host.worker import Function, IndexingError, InvocationError

__all__ = [
    "Function",
    "FunctionsHost",
    "Habits",
    "HttpResult",
    "IndexingError",
    "InvocationError",
    "SettingsError",
    "read_local_settings",
]
