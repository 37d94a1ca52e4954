"""Run a command to its exit status: failures that users can act on become a message, Ctrl-C a quiet end."""

import os
import sys
from collections.abc import Callable

from azure.core.exceptions import AzureError

from local.commands.azure_sign_in import not_permitted
from local.commands.job_names import NoSuchJobError
from local.commands.prompt_paths import DropError
from local.commands.screen import fail
from local.servers.processes import Interrupted, ServerError, interrupt_on_signals
from shared.domain.errors import AppError, NotPermitted
from shared.settings import SettingsFault

_SIGPIPE = 13
"""The signal by which Unix ends programs whose reader has gone; Windows has no such signal, but such pipes."""

FAILURES = (AppError, AzureError, DropError, NoSuchJobError, ServerError, SettingsFault)


def run_command(work: Callable[[], int], hint: Callable[[], str] = lambda: "", account: str | None = None) -> int:
    """Do a command's work and return its exit status: 1 after a failure, 128 and the signal's number after a signal.

    `hint` says at such an end what goes on and how to fetch it later, empty where nothing has begun. `account` is the
    storage account in Azure that the work uses, None where it is this machine's.
    """
    interrupt_on_signals()
    try:
        return work()
    except FAILURES as failure:
        status = fail(not_permitted(account) if account and isinstance(failure, NotPermitted) else failure)
        if hint():
            print(hint(), file=sys.stderr)
        return status
    except BrokenPipeError:  # The reader has seen enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # What is left is not written at exit either.
        return 128 + _SIGPIPE
    except KeyboardInterrupt as interruption:
        print(f"\n{hint() or 'Stopped.'}", file=sys.stderr)
        return 128 + interruption.signum if isinstance(interruption, Interrupted) else 130
