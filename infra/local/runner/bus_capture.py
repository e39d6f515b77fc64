"""A queue that captures everything on the orders bus during a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from handlers.operations.audit.table import Item
from handlers.operations.temporary_queue import open_queue

if TYPE_CHECKING:
    from infra.local.pipeline import Pipeline

_NAME = "local-run-capture"
_SECONDS_INVISIBLE = 43_200  # SQS's maximum


class BusCapture:
    """Captures every event on the orders bus, from now on. Its queue ends with the emulator."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._sqs = pipeline.client("sqs")
        pattern = {"source": [{"prefix": "orders."}]}
        self._url = open_queue(pipeline.client("events"), self._sqs, pipeline.orders_bus, _NAME, pattern)

    def take(self) -> list[Item]:
        """The EventBridge events that came since the last call. Their messages remain in the queue, invisible."""
        request = {"QueueUrl": self._url, "MaxNumberOfMessages": 10, "VisibilityTimeout": _SECONDS_INVISIBLE}
        events: list[Item] = []
        while messages := self._sqs.receive_message(**request).get("Messages"):
            events += (json.loads(message["Body"]) for message in messages)
        return events
