"""What feeds the projections, and what they know of: the list of functions and their code say the same."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from unittest.mock import patch

import pytest

from events.ordering import OrderRejected
from infra.functions import FUNCTIONS, Subscription

PROJECTIONS = {
    function.key: function.trigger
    for function in FUNCTIONS
    if isinstance(function.trigger, Subscription) and function.trigger.replays
}


@pytest.fixture(params=PROJECTIONS)
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A projection's module: a copy, for importing it makes clients, which other tests have to themselves."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("TABLE_NAME", "none")
    with patch.dict(sys.modules):
        for name in [name for name in sys.modules if name == "handlers" or name.startswith("handlers.")]:
            del sys.modules[name]
        yield importlib.import_module(f"handlers.projections.{request.param}")


def test_a_projection_is_fed_what_it_folds_or_counts_and_no_more(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    if name == "order_view":
        folded = importlib.import_module("handlers.projections.order_fold")._SETS
        wanted = {each.__name__ for each in (*folded, OrderRejected)}
    else:
        wanted = {each.__name__ for each in module.projection._counting.events}
    fed = PROJECTIONS[name].detail_types
    assert len(fed) == len(set(fed))
    assert set(fed) == wanted
    assert module.projection.name == name
