"""How long an append takes, by the length of the stream it appends to."""

import statistics
import time
import uuid

from events.envelope import Actor
from events.ordering import OrderConfirmed
from handlers.table.event_store import EventStore
from infra.local.pipeline import Pipeline

_LENGTHS = (1, 100, 10_000)
_APPENDS = 100
_BENCH = Actor(door="subscriber", principal="bench")


def measure(pipeline: Pipeline) -> dict[str, float]:
    """``append_ms.<length>``: the median of 100 appends to a stream that long, lengths in turn."""
    store = EventStore(pipeline.client("dynamodb"), pipeline.table_name, _BENCH)
    # A kind of stream the outbox does not publish, so that nothing else happens meanwhile.
    streams = {length: _stream(store, length) for length in _LENGTHS}
    taken: dict[int, list[float]] = {length: [] for length in _LENGTHS}
    for n in range(1, _APPENDS + 1):
        for length, stream in streams.items():
            started = time.perf_counter()
            _append(store, stream, length + n)
            taken[length].append((time.perf_counter() - started) * 1000)
    return {f"append_ms.{length}": statistics.median(times) for length, times in taken.items()}


def _append(store: EventStore, stream: str, version: int) -> None:
    store.append(stream, version, OrderConfirmed(order_id="demo.bench"), correlation_id="bench", causation_id="bench")


def _stream(store: EventStore, length: int) -> str:
    stream = f"notification#demo.bench-{uuid.uuid4()}"
    for version in range(1, length + 1):
        _append(store, stream, version)
    return stream
