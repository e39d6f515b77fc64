"""Delivery of events to Firehose: the emulator's EventBridge has no such target, and its Firehose buffers nothing."""

import contextvars
import json
import threading
from typing import Any

from ministack.services import eventbridge, firehose  # type: ignore[import-not-found]

SECONDS_BUFFERED = 1.0


def patch() -> None:
    """Let rules deliver to Firehose, which writes the records of one second as one object."""
    invoke, buffer = eventbridge._invoke_target, _Buffer()

    def invoke_or_buffer(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        if not target["Arn"].startswith("arn:aws:firehose:"):
            invoke(target, event, rule, view)
            return
        view = view or eventbridge._pattern_event_view(event)
        buffer.add(target["Arn"].rpartition("/")[2], json.dumps(view.event_with_detail()).encode())

    eventbridge._invoke_target = invoke_or_buffer


class _Buffer:
    """The records of each delivery stream since its last object."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, list[bytes]] = {}

    def add(self, name: str, record: bytes) -> None:
        """Add a record; the first one after an object starts the clock for the next."""
        with self._lock:
            waiting = self._records.setdefault(name, [])
            waiting.append(record)
            if len(waiting) > 1:
                return
        # Whose account and region it is, the emulator keeps in context variables.
        timer = threading.Timer(SECONDS_BUFFERED, contextvars.copy_context().run, (self._deliver, name))
        timer.daemon = True
        timer.start()

    def _deliver(self, name: str) -> None:
        with self._lock:
            records = self._records.pop(name)
        stream = firehose._streams[name]
        for destination in stream["destinations"]:
            firehose._deliver_to_s3(stream, destination, b"".join(records))
