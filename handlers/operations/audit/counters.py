"""Invariant 1 for views that count: each number is what the log's events add up to, each counted once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from events.envelope import Recorded
from handlers.operations.audit.evidence import Evidence
from handlers.projections.engine.projection import Count
from handlers.projections.registry import named


class Difference(NamedTuple):
    """A view that does not count what the log does, whose projection it is of, and what is wrong with it."""

    projection: str
    view: str
    wrong: str


def differences(evidence: Evidence) -> Iterator[Difference]:
    """The counters that are not what the log adds up to, view by view."""
    for projection, held in evidence.table.counters.items():
        expected = _sums(named(projection).counted(evidence.streams.values()))
        shown = _sums(held)
        for view, detail, name in sorted(expected.keys() | shown.keys()):
            here, there = shown[view, detail, name], expected[view, detail, name]
            if here != there:
                what = f"{detail} {name}" if detail else name
                yield Difference(projection, view, f"the view has {here} for {what}, the log {there}")


def touched(projection: str, histories: Iterable[Sequence[Recorded]]) -> set[str]:
    """The views of a projection that these streams count in."""
    return {count.view for count in named(projection).counted(histories)}


def _sums(counts: Iterable[Count]) -> Counter[tuple[str, str, str]]:
    sums: Counter[tuple[str, str, str]] = Counter()
    for count in counts:
        sums[count.view, count.detail, count.name] += count.number
    return sums
