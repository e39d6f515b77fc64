"""What unit tests share: AWS as moto imitates it, new and empty for every test."""

import io
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from moto import mock_aws

from handlers.functions.resources import event_store
from handlers.runtime.observability import logger
from handlers.table.event_store import EventStore
from tests.builders.environment import ENVIRONMENT, QUEUE, TABLE
from tests.builders.samples import queue
from tests.builders.tables import create_table

_store = event_store()

# Every example of a test may have its own moto, which is not what a deadline should measure.
settings.register_profile(
    "unit", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the functions."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the functions log."""
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return stream


@pytest.fixture
def store(environment: None) -> Iterator[EventStore]:
    """An empty event store; the functions work on the same table, and their dead-letter queue is empty."""
    with mock_aws():
        create_table(_store.client, TABLE)
        queue().create_queue(QueueName=QUEUE)
        yield _store
