"""What feeds the projections, and what they know of: the list of functions and their code say the same."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from events.model import DomainEvent
from events.ordering import OrderRejected
from handlers.projections.counting import CountingViews
from handlers.projections.naming import named
from handlers.projections.order_fold import _SETS
from infra.functions import PROJECTIONS


@pytest.mark.parametrize("name", PROJECTIONS)
def test_a_projection_is_fed_what_it_folds_or_counts_and_no_more(name: str) -> None:
    nowhere: Any = SimpleNamespace(client=None, table="none")
    projection = named(name, nowhere)
    wanted: Iterable[type[DomainEvent]] = (
        projection._counting.events if isinstance(projection, CountingViews) else (*_SETS, OrderRejected)
    )
    fed = PROJECTIONS[name].detail_types
    assert len(fed) == len(set(fed))
    assert set(fed) == {event.__name__ for event in wanted}
    assert projection.name == name
