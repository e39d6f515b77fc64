"""What the functions share: the clients and settings of their environment, each made once."""

import os
from functools import cache

from handlers.dead_letters.sending import DeadLetterQueue
from handlers.runtime import aws
from handlers.sandbox.books import Books
from handlers.table.event_store import EventStore


def setting(name: str) -> str:
    """A setting of the function's environment, which its infrastructure wrote.

    Raises:
        KeyError: it is not set.
    """
    return os.environ[name]


@cache
def event_store() -> EventStore:
    """The event store on the table that the environment names."""
    return EventStore(aws.dynamodb(), setting("TABLE_NAME"))


def dead_letter_queue() -> DeadLetterQueue:
    """The function's own dead-letter queue. Its client is made for the first message: most functions never send one."""
    return DeadLetterQueue(cache(aws.sqs), setting("DEAD_LETTER_QUEUE_URL"))


def sandbox_books(owner: str) -> Books:
    """The books of a sandbox, in the table."""
    store = event_store()
    return Books(store.client, store.table, owner)
