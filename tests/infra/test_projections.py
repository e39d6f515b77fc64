"""What feeds the projections: the list of functions, the registry and their definitions say the same."""

import pytest

from events.shipping import ShipmentDelivered
from handlers.projections.counter_views import CounterViews
from handlers.projections.counting_projections import COUNTING_PROJECTIONS
from handlers.projections.engine.counting import Counting
from handlers.projections.registry import PROJECTIONS
from infra.function_spec import QUERY, UPDATE, Rows, Subscription
from infra.functions import FUNCTIONS, counting

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


def test_what_feeds_and_what_may_do_a_projection_that_is_added_follows_from_its_definition() -> None:
    added = Counting(CounterViews("deliveries", "delivered"), (ShipmentDelivered,), lambda *_: {}, reads=("shipment",))
    before, after = (counting(each) for each in (COUNTING_PROJECTIONS, [*COUNTING_PROJECTIONS, added]))
    assert isinstance(before.trigger, Subscription)
    assert isinstance(after.trigger, Subscription)
    assert set(after.trigger.events) - set(before.trigger.events) == {ShipmentDelivered}
    granted = {
        (action, key) for rows in after.grants if isinstance(rows, Rows) for action in rows.actions for key in rows.keys
    }
    assert granted >= {
        (UPDATE, "view#delivered#*"),
        (UPDATE, "applied#deliveries#*"),
        (QUERY, "shipment#*"),
        ("dynamodb:GetItem", "projection#deliveries"),
    }
