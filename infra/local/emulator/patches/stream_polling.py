"""Streams of tables: the emulator calls their functions at every write, and takes nothing from queues meanwhile.

AWS polls each shard four times a second, and waits with the next batch until the last one was processed; nothing else
waits for it. Times are scaled as the waits of state machines are. Source: AWS Lambda Developer Guide, "Using AWS Lambda
with Amazon DynamoDB".
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

from ministack.services import lambda_svc, stepfunctions  # type: ignore[import-not-found]

_POLLED_EACH_SECONDS = 0.25
_LEAST_SECONDS = 0.02


def patch() -> None:
    """Let a thread poll each stream of a function, and gather what comes for as long as its mapping says."""
    lambda_svc._poll_dynamodb_streams = _Polling(lambda_svc._poll_dynamodb_streams).start


class _Polling:
    """The threads, one for each mapping of a stream to a function."""

    def __init__(self, poll: Any) -> None:
        self._poll = poll
        self._polled: set[str] = set()
        self._own = threading.local()
        self._mappings = lambda_svc._iter_all_esms
        lambda_svc._iter_all_esms = self._seen

    def start(self) -> bool:
        """Start a thread for each mapping that has none. Returns that the caller has nothing more to do."""
        for _, _, mapping in self._mappings():
            if ":dynamodb:" in mapping.get("EventSourceArn", "") and mapping["UUID"] not in self._polled:
                self._polled.add(mapping["UUID"])
                threading.Thread(target=self._keep_polling, args=(mapping["UUID"],), daemon=True).start()
        return False

    def _seen(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The mappings: all of them, or the one that this thread polls."""
        own = getattr(self._own, "mapping", None)
        return (each for each in self._mappings() if own in (None, each[2]["UUID"]))

    def _keep_polling(self, own: str) -> None:
        self._own.mapping = own
        while mapping := next((each for _, _, each in self._seen()), None):
            seconds = max(_POLLED_EACH_SECONDS, mapping.get("MaximumBatchingWindowInSeconds", 0))
            time.sleep(max(_LEAST_SECONDS, seconds * stepfunctions._SFN_WAIT_SCALE))
            try:
                while self._read(own) >= mapping["BatchSize"]:
                    pass
            except Exception:
                lambda_svc.logger.exception("the stream of mapping %s cannot be polled", own)
        self._polled.discard(own)

    def _read(self, own: str) -> int:
        """Let the function process a batch; returns how many records were taken from the stream for it."""
        before = lambda_svc._dynamodb_stream_positions.get(own, 0)
        self._poll()
        return int(lambda_svc._dynamodb_stream_positions.get(own, 0) - before)
