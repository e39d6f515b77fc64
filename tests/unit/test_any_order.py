"""All projections, updated from the events of one run in random ways: they depend on the log alone."""

import random
from collections.abc import Sequence

from events.envelope import Recorded
from tests.builders.generated_log import run
from tests.engines.memory_table import Memory
from tests.engines.projecting import COUNTING, PROJECTIONS, counters, folded, projecting, shown, summed

WAYS = 200
LOG = run(12)


def deliver(arriving: Sequence[Recorded], rand: random.Random) -> None:
    """Deliver events in batches of any size to every projection."""
    start = 0
    while start < len(arriving):
        size = rand.randint(1, 40)
        for projection in PROJECTIONS.values():
            assert projection.apply("1", arriving[start : start + size]) == {}
        start += size


def test_shuffled_doubled_and_with_gaps_in_200_orders_the_views_are_those_of_the_log() -> None:
    """Some events come twice, and some not at first: what comes after them in their streams is a gap until they do."""
    orders = folded(LOG)

    def of_placed(views: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        return {order_id: views[order_id] for order_id in orders}

    sums = {name: summed(LOG, name) for name in COUNTING}
    last = {each.stream: each for each in LOG}
    views: set[str] = set()
    for way in range(WAYS):
        rand = random.Random(way)
        with projecting(LOG) as memory:
            late = [each for each in LOG if last[each.stream] is not each and rand.random() < 0.15]
            there = [each for each in LOG if each not in late]
            arriving = there + rand.sample(there, len(there) // 3)
            rand.shuffle(arriving)
            deliver(arriving, rand)
            # An order's view fills gaps from the log; what counts awaits each event.
            assert of_placed(shown(memory)) == orders
            rand.shuffle(late)
            deliver(late, rand)
            assert of_placed(shown(memory)) == orders
            assert {name: counters(memory, name) for name in COUNTING} == sums
            views.add(repr(whole(memory)))
    assert len(views) == 1


def whole(memory: Memory) -> list[object]:
    """Every view and every marker, with all that is in them."""
    kept = memory.under("view#") | memory.under("applied#")
    return [(key, sorted(item.items())) for key, item in sorted(kept.items())]
