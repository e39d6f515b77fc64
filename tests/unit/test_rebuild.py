"""The rebuild, its definition with its steps: it ends with one generation, equal to the log, or says what differs."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from events.envelope import Recorded
from handlers.projections.engine.generations import GenerationStore, NotBuilding, State
from handlers.projections.engine.projection import by_stream
from handlers.projections.rebuild import steps
from handlers.projections.rebuild.evaluation import GenerationDiffers
from handlers.projections.registry import UnknownProjection, named
from handlers.table.keys import applied_marker
from tests.builders.generated_log import run
from tests.builders.recorded_events import image
from tests.engines.memory_table import Memory
from tests.engines.projecting import PROJECTIONS, STORE, projecting
from tests.engines.rebuilding import ARCHIVE, BUS, Rebuilder, generations, of_generation

LOG = run(8, seed=2)
NAMES = sorted(PROJECTIONS)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checking again does not wait."""
    monkeypatch.setattr("handlers.retry_policy.time.sleep", lambda _: None)


@pytest.fixture
def memory() -> Iterator[Memory]:
    """A table with a run's log, read in small pages, and all views of generation 1."""
    with projecting(LOG, page=5) as memory:
        for projection in PROJECTIONS.values():
            assert projection.apply("1", LOG) == {}
        yield memory


@pytest.mark.parametrize("name", NAMES)
def test_what_is_rebuilt_is_what_was_and_the_old_generation_goes(memory: Memory, name: str) -> None:
    others = {other: of_generation(memory, other, "1") for other in NAMES if other != name}
    before = of_generation(memory, name, "1")
    done = Rebuilder(memory, checks=2).run(name)
    assert generations(name).states == {"2": State.LIVE}
    assert of_generation(memory, name, "2") == before
    assert of_generation(memory, name, "1") == []
    assert {other: of_generation(memory, other, "1") for other in others} == others
    streams = len(by_stream(LOG))
    assert done == {
        **{"projection": name, "generation": "2", "dropped": ["1"], "counters_moving": False},
        **{"events": len(LOG), "streams": streams, "compared": streams},
    }


def test_the_archive_is_replayed_into_the_generation_alone_and_once(memory: Memory) -> None:
    rebuilder = Rebuilder(memory)
    rebuilder.run("daily_sales")
    [replay] = rebuilder.archive.replays.values()
    assert replay["ReplayName"] == "rebuild.daily_sales.2"
    assert (replay["EventSourceArn"], replay["Destination"]["Arn"]) == (ARCHIVE, BUS)
    assert replay["Destination"]["FilterArns"] == [BUS.replace(":event-bus/", ":rule/") + "/counting_projections"]


@pytest.mark.parametrize("name", NAMES)
def test_a_call_that_runs_out_of_time_goes_on_where_it_stopped(memory: Memory, name: str) -> None:
    rebuilder = Rebuilder(memory, remaining=lambda: 10.0)
    assert rebuilder.run(name)["events"] == len(LOG)
    assert generations(name).states == {"2": State.LIVE}
    for step in ("fill", "compare", "drop"):
        assert rebuilder.steps.count(step) > steps.SEGMENTS


@pytest.mark.parametrize("name", NAMES)
def test_traffic_goes_on_meanwhile_and_is_in_the_new_generation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each step an event is appended. It reaches the generations that are updated at the step after, or while
    the comparison waits to check again.
    """
    begun = [each for each in LOG if each.version == 1]
    to_come = [each for each in LOG if each.version > 1]
    under_way: list[Recorded] = []
    with projecting(LOG) as memory:
        assert PROJECTIONS[name].apply("2", LOG) == {}
        expected = of_generation(memory, name, "2")
    with projecting(begun, page=5) as memory:
        assert PROJECTIONS[name].apply("1", begun) == {}
        rebuilder = Rebuilder(memory)

        def arrive() -> None:
            for generation in generations(name).updated:
                assert PROJECTIONS[name].apply(generation, under_way) == {}
            under_way.clear()

        def traffic(_step: str) -> None:
            arrive()
            under_way[:] = [to_come.pop(0)] if to_come else []
            memory.put(map(image, under_way))

        monkeypatch.setattr("handlers.retry_policy.time.sleep", lambda _: arrive())
        rebuilder.between = traffic
        rebuilder.run(name)
        while under_way or to_come:
            traffic("after it")
        assert of_generation(memory, name, "2") == expected


def test_what_applying_again_corrects_is_correct_when_it_is_started_again(memory: Memory) -> None:
    name, spoil, _ = SPOILED["a view was deleted"]
    before = of_generation(memory, name, "1")
    with pytest.raises(GenerationDiffers):
        spoiled(memory, name, spoil).run(name)
    assert Rebuilder(memory).run(name)["generation"] == "2"
    assert of_generation(memory, name, "2") == before


def test_an_old_generation_is_updated_while_it_is_kept_and_can_be_gone_back_to(memory: Memory) -> None:
    rebuilder, updated = Rebuilder(memory), dict[str, list[str]]()
    rebuilder.between = lambda step: updated.update({step: generations("stock_view").updated})
    rebuilder.run("stock_view")
    assert updated["fill"] == updated["close"] == ["1", "2"]
    assert updated["drop"] == ["2"]


def test_after_a_rollback_it_is_the_new_generation_that_goes(memory: Memory) -> None:
    rebuilder = Rebuilder(memory)

    def between(step: str) -> None:
        if step == "close":
            GenerationStore(STORE.client, STORE.table).change("stock_view", lambda g: g.rolled_back(seen="2"))

    before = of_generation(memory, "stock_view", "1")
    rebuilder.between = between
    assert rebuilder.run("stock_view")["dropped"] == ["2"]
    assert generations("stock_view").states == {"1": State.LIVE}
    assert of_generation(memory, "stock_view", "1") == before
    assert of_generation(memory, "stock_view", "2") == []


def test_an_unknown_projection_is_refused(memory: Memory) -> None:
    for name in ("nothing", "order_fold", "..x", ""):
        with pytest.raises(UnknownProjection):
            Rebuilder(memory).run(name)


# Differences


def spoiled(memory: Memory, name: str, spoil: Callable[[Memory, list[tuple[str, str]]], object]) -> Rebuilder:
    """A rebuild in which something happens to the new generation before it is compared."""
    rebuilder = Rebuilder(memory)
    once = [True]

    def between(step: str) -> None:
        if step == "compare" and once:
            once.clear()
            spoil(memory, [key for key, item in memory.items.items() if named(name).owns("2", item)])

    rebuilder.between = between
    return rebuilder


def set_number(memory: Memory, key: tuple[str, str], name: str) -> None:
    item = copy.deepcopy(memory.items[key])
    item[name] = {"N": "4711"}
    memory.items[key] = item


SPOILED: dict[str, tuple[str, Callable[[Memory, list[tuple[str, str]]], object], str]] = {
    "a view was deleted": (
        "order_view",
        lambda memory, keys: memory.items.pop(next(key for key in keys if key[0].endswith("0002"))),
        "order#demo.G2-0002",
    ),
    "a view was changed": (
        "order_view",
        lambda memory, keys: set_number(memory, next(key for key in keys if key[0].endswith("0002")), "total"),
        "order#demo.G2-0002",
    ),
    "a view of nothing": (
        "order_view",
        lambda memory, keys: memory.put(
            [{"PK": {"S": "view#order#nobody"}, "SK": {"S": "2"}, "order_version": {"N": "1"}}]
        ),
        "order#nobody version 1",
    ),
    "a marker is missing": (
        "daily_sales",
        lambda memory, keys: memory.items.pop(next(key for key in keys if key[0].startswith("applied#"))),
        "order#demo.G2-",
    ),
    "a marker of nothing": (
        "daily_sales",
        lambda memory, keys: memory.put(
            [
                {
                    **applied_marker("daily_sales", "2", "order#nobody", 2).attributes,
                    "v2_1": {"S": "a hash"},
                }
            ]
        ),
        "order#nobody version 2",
    ),
    "a counter was changed": (
        "daily_sales",
        lambda memory, keys: set_number(memory, next(key for key in keys if key[0].startswith("view#")), "total"),
        "do not add up",
    ),
    "a counter was deleted": (
        "stock_view",
        lambda memory, keys: memory.items.pop(next(key for key in keys if key[0].startswith("view#"))),
        "do not add up",
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_generation_that_differs_is_named_and_does_not_become_live(memory: Memory, what: str) -> None:
    name, spoil, message = SPOILED[what]
    rebuilder = spoiled(memory, name, spoil)
    with pytest.raises(GenerationDiffers, match=message):
        rebuilder.run(name)
    assert generations(name).states == {"1": State.LIVE, "2": State.BUILDING}
    assert set(Rebuilder(memory).run(name, restart=True)["dropped"]) == {"1", "2"}
    assert generations(name).states == {"3": State.LIVE}
    assert of_generation(memory, name, "2") == []


def test_of_very_many_streams_a_sample_is_compared_and_its_size_is_reported(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "MOST_COMPARED", 10)
    done = Rebuilder(memory).run("daily_sales")
    assert 0 < done["compared"] < done["streams"] == len(by_stream(LOG))


# Killed


class Killed(BaseException):
    """The function dies."""


KILLS = [(name, when) for name in NAMES for when in ("before", "after")]


@pytest.mark.parametrize(("name", "when"), KILLS)
def test_killed_at_any_call_and_started_again_it_ends_alike(
    name: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every call to AWS of every step: the function dies there, and the execution is started again."""
    monkeypatch.setattr(steps, "SEGMENTS", 2)
    log = run(5, seed=4)
    with projecting(log) as memory:
        assert PROJECTIONS[name].apply("1", log) == {}
        start = dict(memory.items)
        calls = 0

        def counting(*_: Any) -> None:
            nonlocal calls
            calls += 1

        memory.on_call = counting
        Rebuilder(memory).run(name)
        memory.on_call = lambda *_: None
        expected, many = of_generation(memory, name, "2"), calls
        assert expected
        for at in range(1, many + 1):
            memory.items = dict(start)
            calls = 0

            def die(*_: Any, at: int = at) -> None:
                nonlocal calls
                calls += 1
                if calls == at:
                    raise Killed

            hook = "on_call" if when == "before" else "done"
            rebuilder = Rebuilder(memory)
            setattr(memory, hook, die)
            with pytest.raises(Killed):
                rebuilder.run(name)
            setattr(memory, hook, lambda *_: None)
            again = rebuilder.run(name)
            assert generations(name).states == {again["generation"]: State.LIVE}, at
            assert of_generation(memory, name, again["generation"]) == expected, at
            others = set(map(str, range(1, 9))) - {again["generation"]}
            assert [each for other in others for each in of_generation(memory, name, other)] == [], at


def test_a_generation_given_up_meanwhile_is_not_filled_further(memory: Memory) -> None:
    rebuilder = Rebuilder(memory)
    once = [True]

    def between(step: str) -> None:
        if step == "fill" and once:
            once.clear()
            Rebuilder(memory).step({"step": "open", "input": {"projection": "stock_view", "restart": True}})

    rebuilder.between = between
    with pytest.raises(NotBuilding):
        rebuilder.run("stock_view")
    assert generations("stock_view").building == "3"
