"""What feeds the projections: the list of functions, the registry and their definitions say the same."""

import pytest

from handlers.projections.registry import PROJECTIONS
from infra.function_spec import Subscription
from infra.functions import FUNCTIONS

KEEP = sorted({each.function for each in PROJECTIONS.values()})


@pytest.mark.parametrize("function", KEEP)
def test_a_function_is_fed_what_its_projections_fold_or_count_and_no_more(function: str) -> None:
    [trigger] = [each.trigger for each in FUNCTIONS if each.key == function]
    assert isinstance(trigger, Subscription)
    assert len(set(trigger.events)) == len(trigger.events)
    assert set(trigger.events) == {
        event for each in PROJECTIONS.values() if each.function == function for event in each.events
    }
    assert trigger.replays


def test_replays_reach_projections_alone() -> None:
    assert {f.key for f in FUNCTIONS if isinstance(f.trigger, Subscription) and f.trigger.replays} == set(KEEP)
