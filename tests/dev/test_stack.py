"""What the local servers prepare for the app, as the template does in Azure."""

from azure.storage.queue import QueueServiceClient

import function_app
from local.servers.azurite import running_azurite
from local.servers.stack import QUEUES, make_queues


def test_all_four_queues_are_there_before_the_functions_look_for_them() -> None:
    with running_azurite() as azurite, QueueServiceClient.from_connection_string(azurite.connection_string) as storage:
        make_queues(storage)
        make_queues(storage)
        assert {queue.name for queue in storage.list_queues()} == set(QUEUES)
    names = (function_app.SUBMISSIONS, function_app.COMPLETIONS)
    assert {*names, *(f"{name}-poison" for name in names)} == set(QUEUES)
