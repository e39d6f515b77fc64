"""Invariant 1 for views that count: each number is what the log adds up to.

For the projections that ship, the audit has sums of its own (`expected_counts`). For any other, a team's own, only its
definition says what it should count: the audit compares with that, and says so.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from events.envelope import Recorded
from handlers.operations.audit.evidence import Evidence
from handlers.operations.audit.expected_counts import EXPECTED
from handlers.projections.engine.projection import Count
from handlers.projections.registry import named
from handlers.table import keys

_SALES = keys.views("sales")
_SHARDS = frozenset(map(str, range(8)))
"""A day's sales are kept in as many views, which a reader adds up."""


class Difference(NamedTuple):
    """A view that does not count what the log does, the projection it is of, and what is wrong with it."""

    projection: str
    view: str
    wrong: str


def differences(evidence: Evidence) -> Iterator[Difference]:
    """The counters that are not what the log adds up to, view by view."""
    for projection, stored in evidence.table.counters.items():
        expected = _sums(_expected(projection, evidence.streams.values()))
        shown = _sums(count._replace(view=_as_read(count.view)) for count in stored)
        basis = "the log" if projection in EXPECTED else "the projection's own definition"
        for view, detail, name in sorted(expected.keys() | shown.keys()):
            here, there = shown[view, detail, name], expected[view, detail, name]
            if here != there:
                what = f"{detail} {name}" if detail else name
                yield Difference(projection, view, f"the view has {here} for {what}, {basis} {there}")


def touched(projection: str, histories: Iterable[Sequence[Recorded]]) -> set[str]:
    """The views of a projection that these streams count in, or have counted in."""
    return {count.view for count in _expected(projection, histories)}


def not_independent(evidence: Evidence) -> list[str]:
    """The projections whose counters are compared with their own definition: the audit has no sums for them."""
    return [projection for projection in evidence.table.counters if projection not in EXPECTED]


def _expected(projection: str, histories: Iterable[Sequence[Recorded]]) -> Iterator[Count]:
    if projection in EXPECTED:
        return EXPECTED[projection](histories)
    return named(projection).expected_counts(histories)


def _as_read(view: str) -> str:
    """The view as a reader sees it: that of a day's sales without its shard."""
    day, _, shard = view.rpartition("#")
    return day if view.startswith(_SALES) and shard in _SHARDS else view


def _sums(counts: Iterable[Count]) -> Counter[tuple[str, str, str]]:
    sums: Counter[tuple[str, str, str]] = Counter()
    for count in counts:
        sums[count.view, count.detail, count.name] += count.number
    return sums
