"""Generations: one is live, at most one is being built, no number is given twice, and writers never lose a change."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlers.projections.engine.generations import (
    Generations,
    GenerationStore,
    NotBuilding,
    NothingToRollBackTo,
    State,
)
from handlers.retry_policy import Contended
from handlers.table.event_store import EventStore
from tests.builders.stores import clear

Change = Callable[[Generations], Generations]


def switched(known: Generations) -> Generations:
    return known.switched(known.building or known.live)


def rolled_back(known: Generations) -> Generations:
    try:
        return known.rolled_back(seen=known.live)
    except NothingToRollBackTo:
        return known


CHANGES: dict[str, Change] = {
    "open": lambda known: known.opened(restart=False),
    "restart": lambda known: known.opened(restart=True),
    "switch": switched,
    "roll back": rolled_back,
    "close": lambda known: known.closed(str(known.last)),
    "close of the one before": lambda known: known.closed(str(max(known.last - 1, 1))),
    "drop": lambda known: known.without(known.dropping),
}


def changed(names: Sequence[str]) -> list[Generations]:
    """The generations after each of these changes."""
    found = [Generations()]
    for name in names:
        found.append(CHANGES[name](found[-1]))
    return found


@given(st.lists(st.sampled_from(list(CHANGES)), max_size=30))
def test_whatever_happens_one_generation_is_live_and_no_number_is_given_twice(names: list[str]) -> None:
    passed = changed(names)
    gone: set[str] = set()
    for before, after in pairwise(passed):
        states = list(after.states.values())
        assert states.count(State.LIVE) == 1
        assert states.count(State.BUILDING) <= 1
        new = after.states.keys() - before.states.keys()
        assert all(int(each) == after.last > before.last for each in new)
        assert not new & gone
        gone |= before.states.keys() - after.states.keys()
        # What readers may be reading is updated, and it is no longer updated before it is deleted.
        assert {before.live, after.live} <= set(after.updated)
        assert not set(after.updated) & set(before.dropping)
        assert (before.states.keys() - after.states.keys()) <= set(before.dropping)


def test_a_rebuild_continues_the_generation_that_was_begun_unless_a_restart_is_wanted() -> None:
    begun = Generations().opened(restart=False)
    assert (begun.live, begun.building, begun.opened(restart=False)) == ("1", "2", begun)
    anew = begun.opened(restart=True)
    assert (anew.live, anew.building, anew.dropping) == ("1", "3", ["2"])


def test_a_live_generation_remains_live_and_one_that_is_not_being_built_never_becomes_live() -> None:
    live = Generations().opened(restart=False).switched("2")
    assert live.switched("2") == live
    assert live.states == {"1": State.RETIRING, "2": State.LIVE}
    for other in ("1", "3"):
        with pytest.raises(NotBuilding, match=f"generation {other} is"):
            live.switched(other)


def test_back_and_forth_as_long_as_both_are_updated() -> None:
    switched = Generations().opened(restart=False).switched("2")
    back = switched.rolled_back(seen="2")
    assert (back.live, back.updated) == ("1", ["1", "2"])
    assert back.rolled_back(seen="1") == replace(switched, previous="1")
    assert back.rolled_back(seen="2") == back, "an answer was lost: to go back twice would undo it"
    with pytest.raises(NothingToRollBackTo):
        switched.closed("2").rolled_back(seen="2")


def test_back_is_to_the_generation_that_was_live_and_not_to_one_that_was_given_up() -> None:
    given_up = Generations().opened(restart=False).switched("2").rolled_back(seen="2")
    third = given_up.opened(restart=False).switched("3")
    assert third.rolled_back(seen="3").live == "1"


def test_a_rebuild_ends_what_retires_because_of_it_and_no_more() -> None:
    second = Generations().opened(restart=False).switched("2")
    third = second.opened(restart=False).switched("3")
    assert third.closed("2").dropping == ["1"]
    assert third.closed("2").closed("3").dropping == ["1", "2"]
    assert second.rolled_back(seen="2").closed("2").dropping == ["2"]


# In the table


def test_without_an_item_the_first_generation_is_live(store: EventStore) -> None:
    assert GenerationStore(store.client, store.table).read("p") == Generations()


class Racing(GenerationStore):
    """Others make their changes between its reading and its writing."""

    def __init__(self, store: EventStore, others: list[Change]) -> None:
        super().__init__(store.client, store.table)
        self._others = others
        self._plain = GenerationStore(store.client, store.table)

    def read(self, projection: str) -> Generations:
        known = super().read(projection)
        if self._others:
            self._plain.change(projection, self._others.pop(0))
        return known


@given(
    st.lists(st.sampled_from(list(CHANGES)), max_size=3),
    st.sampled_from(list(CHANGES)),
    st.lists(st.sampled_from(list(CHANGES)), max_size=3),
)
@settings(max_examples=100)
@example(before=["open", "switch"], one="roll back", others=["close", "open"])
def test_after_a_version_conflict_a_writer_decides_anew(
    store: EventStore, before: list[str], one: str, others: list[str]
) -> None:
    """No change is lost, and none is made to what has changed since: all is as if they had been made one by one."""
    clear(store)
    plain = GenerationStore(store.client, store.table)
    for name in before:
        plain.change("p", CHANGES[name])
    left = [CHANGES[name] for name in others]
    made = Racing(store, left).change("p", CHANGES[one])
    stored = plain.read("p")
    happened = others[: len(others) - len(left)]
    one_by_one = [
        (
            changed([*before, *happened[:at], one])[-1].states,
            changed([*before, *happened[:at], one, *happened[at:]])[-1].states,
        )
        for at in range(len(happened) + 1)
    ]
    assert (made.states, stored.states) in one_by_one
    assert list(stored.states.values()).count(State.LIVE) == 1


def test_a_writer_that_loses_every_race_is_to_be_retried(store: EventStore) -> None:
    others: list[Change] = [CHANGES["restart"]] * 20
    with pytest.raises(Contended, match="too many others"):
        Racing(store, others).change("p", CHANGES["restart"])


def test_projections_do_not_meet(store: EventStore) -> None:
    generations = GenerationStore(store.client, store.table)
    generations.change("p", CHANGES["open"])
    assert generations.read("q") == Generations()
