"""Batches of messages for functions: the emulator gives them ten at most, and waits for no more to come.

A batching window is scaled as the waits of state machines are.
"""

import threading
import time
from typing import Any

from ministack.services import lambda_svc, sqs, stepfunctions  # type: ignore[import-not-found]


def patch() -> None:
    """Let a batch be as large as its mapping allows, and be gathered for as long as that says."""
    sqs._receive_messages_for_esm = _Gathering().receive


class _Gathering:
    """Which queues messages are gathered from, and since when."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def receive(self, queue_url: str, most: int) -> list[dict[str, Any]]:
        """A batch of up to `most` messages; none as long as more are waited for."""
        with sqs._queues_lock:
            queue, now = sqs._get_q(queue_url), time.time()
            sqs._expire_retained(queue)
            sqs._dlq_sweep(queue)
            waiting = sum(message.get("visible_at", 0) <= now for message in queue["messages"])
            if waiting and (waiting >= most or self._gathered(queue_url, now)):
                self._since.pop(queue_url, None)
                batch: list[dict[str, Any]] = sqs._collect_msgs(
                    queue, most, int(queue["attributes"].get("VisibilityTimeout", "30"))
                )
                return batch
        return []

    def _gathered(self, queue_url: str, now: float) -> bool:
        window = _window(queue_url)
        if window and queue_url not in self._since:
            self._since[queue_url] = now
            timer = threading.Timer(window, lambda_svc._esm_wake.set)
            timer.daemon = True
            timer.start()
        return now >= self._since.get(queue_url, now) + window


def _window(queue_url: str) -> float:
    """For how many seconds messages of the queue are gathered."""
    name = queue_url.rpartition("/")[2]
    for _, _, mapping in lambda_svc._iter_all_esms():
        if mapping["EventSourceArn"].endswith(f":{name}"):
            return float(mapping["MaximumBatchingWindowInSeconds"] * stepfunctions._SFN_WAIT_SCALE)
    return 0.0
