"""What the functions share: the clients and settings of their environment, each made once."""

import os
from functools import cache

from events.envelope import Actor, Door
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.runtime import aws
from handlers.runtime.postponing import OwnQueue
from handlers.sandbox.books import Books
from handlers.table.event_store import EventStore


def setting(name: str) -> str:
    """A setting of the function's environment, which its infrastructure wrote.

    Raises:
        KeyError: it is not set.
    """
    return os.environ[name]


@cache
def event_store(door: Door | None = None) -> EventStore:
    """The event store on the table that the environment names.

    What the function appends it causes itself, as what comes in by that door; without one, it only reads, or says each
    time on whose behalf it appends.
    """
    actor = Actor(door=door, principal=setting("POWERTOOLS_SERVICE_NAME")) if door else None
    return EventStore(aws.dynamodb(), setting("TABLE_NAME"), actor)


def dead_letter_queue() -> DeadLetterQueue:
    """The function's own dead-letter queue. Its client is made for the first message: most functions never send one."""
    return DeadLetterQueue(cache(aws.sqs), setting("DEAD_LETTER_QUEUE_URL"))


def own_queue() -> OwnQueue:
    """The queue that the function's messages come from. Its client is made for the first message that is postponed."""
    return OwnQueue(cache(aws.sqs), setting("OWN_QUEUE_URL"))


def sandbox_books(owner: str) -> Books:
    """The books of a sandbox, in the table."""
    return Books(aws.dynamodb(), setting("TABLE_NAME"), owner)
