"""A queue of a command's own on the orders bus, that goes when the command goes."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handlers.operations.bus_queue import open_queue, remove_queue
from infra.names import ORDERS_BUS_NAME

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

ALIVE = "alive"
"""The tag of a queue that says when its command was last known to live, in seconds since 1970."""

_SAYS_SO_EVERY_SECONDS = 600
_DEAD_AFTER_SECONDS = 3600


@dataclass
class OwnQueue:
    """A queue, and the rule of the same name that feeds it."""

    sqs: SQSClient
    name: str
    url: str
    said_so: float

    def still_alive(self) -> None:
        """Say that the command lives, if that was not said for a while: others remove the queue of a dead one."""
        if time.monotonic() - self.said_so > _SAYS_SO_EVERY_SECONDS:
            self.sqs.tag_queue(QueueUrl=self.url, Tags=_alive())
            self.said_so = time.monotonic()


@contextmanager
def own_queue(events: EventBridgeClient, sqs: SQSClient, prefix: str, pattern: Mapping[str, Any]) -> Iterator[OwnQueue]:
    """A queue with what matches ``pattern``, for the time of the block; its name begins with ``prefix``.

    What killed commands left behind, under names that begin alike, is removed.
    """
    _remove_leftovers(events, sqs, prefix)
    name = prefix + secrets.token_hex(6)
    try:
        url = open_queue(events, sqs, ORDERS_BUS_NAME, name, pattern, tags=_alive())
        yield OwnQueue(sqs, name, url, time.monotonic())
    finally:
        # A second Ctrl-C must not keep back what the first one began to remove.
        before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            remove_queue(events, sqs, ORDERS_BUS_NAME, name)
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _remove_leftovers(events: EventBridgeClient, sqs: SQSClient, prefix: str) -> None:
    for url in sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", []):
        try:
            alive = int(sqs.list_queue_tags(QueueUrl=url).get("Tags", {}).get(ALIVE, 0))
        except sqs.exceptions.QueueDoesNotExist:
            continue
        if time.time() - alive > _DEAD_AFTER_SECONDS:
            remove_queue(events, sqs, ORDERS_BUS_NAME, url.rpartition("/")[2])


def _alive() -> dict[str, str]:
    return {ALIVE: str(int(time.time()))}
