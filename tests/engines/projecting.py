"""The projections on a table in memory, and what they have to hold for a log.

How it works: the functions' projections, opened on the functions' store, whose calls a table in memory answers.

Its limits are those of `tests.engines.memory_table`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from events.envelope import Recorded
from handlers.projections import registry
from handlers.projections.engine.counting import Counting
from handlers.projections.engine.projection import Count, Projection
from handlers.projections.order_fold import fold, known
from handlers.runtime import aws
from handlers.table.event_store import EventStore
from tests.builders.environment import TABLE
from tests.builders.generated_log import by_streams
from tests.builders.recorded_events import image
from tests.engines.memory_table import Key, Memory

STORE = EventStore(aws.dynamodb(), TABLE)
"""The store of every function: they share a client."""


PROJECTIONS: Mapping[str, Projection] = {name: each.on(STORE) for name, each in registry.PROJECTIONS.items()}


COUNTING: Mapping[str, Counting] = {
    name: definition for name, definition in registry.PROJECTIONS.items() if isinstance(definition, Counting)
}


@contextmanager
def projecting(log: Sequence[Recorded], *, page: int = 1_000_000) -> Iterator[Memory]:
    """The projections work on a table that has this log, for the time of the block."""
    memory = Memory(page)
    memory.put(map(image, log))
    with memory.serving():
        yield memory


def counters(memory: Memory, name: str, generation: str = "1") -> dict[Key, dict[str, int]]:
    """What a generation of a counting projection has counted, by view and detail; zeros are as good as nothing."""
    projection = COUNTING[name]
    owned = (item for item in memory.items.values() if projection.owns(generation, item))
    return _added_up(count for item in owned for count in projection.stored_counts(item))


def summed(log: Sequence[Recorded], name: str) -> dict[Key, dict[str, int]]:
    """The plain sum of what the log's events add to the counters of a projection, by view and detail."""
    return _added_up(COUNTING[name].expected_counts(by_streams(log).values()))


def _added_up(counts: Iterable[Count]) -> dict[Key, dict[str, int]]:
    sums: dict[Key, Counter[str]] = defaultdict(Counter)
    for count in counts:
        sums[count.view, count.detail][count.name] += count.number
    nonzero = {key: {name: number for name, number in counted.items() if number} for key, counted in sums.items()}
    return {key: counted for key, counted in nonzero.items() if counted}


def shown(memory: Memory, generation: str = "1") -> dict[str, dict[str, str]]:
    """The order views of a generation by order, without types, keys, and the versions applied."""
    return {
        key[0].removeprefix("view#order#"): {
            name: next(iter(value.values()))
            for name, value in item.items()
            if not name.startswith(("PK", "SK", "GSI")) and not name.endswith("_version")
        }
        for key, item in memory.under("view#order#").items()
        if key[1] == generation
    }


def folded(log: Sequence[Recorded]) -> dict[str, dict[str, str]]:
    """What the order views show of a log in which no order that was placed was rejected too."""
    found: dict[str, dict[str, str]] = {}
    for stream, history in by_streams(log).items():
        kind, order_id = stream.split("#")[:2]
        if kind != "rejection" and known(history[0].event):
            found.setdefault(order_id, {}).update({name: str(value) for name, value in fold(history).items()})
    return found
