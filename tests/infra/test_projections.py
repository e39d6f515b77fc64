"""What feeds the projections: the list of functions, the registry and their definitions say the same."""

import pytest

from handlers.projections.registry import PROJECTIONS
from infra.function_spec import Subscription
from infra.functions import FUNCTIONS


@pytest.mark.parametrize("name", PROJECTIONS)
def test_a_projection_is_fed_what_it_folds_or_counts_and_no_more(name: str) -> None:
    [function] = [function for function in FUNCTIONS if function.key == name]
    assert isinstance(function.trigger, Subscription)
    assert len(set(function.trigger.events)) == len(function.trigger.events)
    assert function.trigger.events == PROJECTIONS[name].events
    assert function.trigger.replays


def test_replays_reach_projections_alone() -> None:
    replayed = [f.key for f in FUNCTIONS if isinstance(f.trigger, Subscription) and f.trigger.replays]
    assert sorted(replayed) == sorted(PROJECTIONS)
