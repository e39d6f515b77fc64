"""What unit tests share: AWS as moto imitates it, new and empty for every test."""

import io
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from moto import mock_aws
from moto.core.models import MockAWS

from handlers.functions.resources import event_store
from handlers.runtime.observability import logger
from handlers.table.event_store import EventStore
from infra.cli.connection import Connection
from tests.builders.dead_letter_queue import queue
from tests.builders.environment import ENVIRONMENT, OUTPUTS, QUEUE, TABLE, VAULT_TABLE
from tests.builders.tables import create_table, create_vault
from tests.builders.vault import create_rejection_key

_store = event_store("saga")

# Every example of a test may have its own moto, which is not what a deadline should measure.
settings.register_profile(
    "unit", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.load_profile("unit")


@pytest.fixture(scope="package", autouse=True)
def moto() -> Iterator[MockAWS]:
    """moto, started once: to start it takes longer than most tests."""
    with mock_aws() as moto:
        yield moto


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, moto: MockAWS) -> Iterator[None]:
    """The environment of the functions, in an AWS that is empty; the command line finds the same names."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    monkeypatch.setattr(Connection, "outputs", OUTPUTS)
    yield
    moto.reset()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the functions log."""
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return stream


@pytest.fixture
def store(environment: None) -> EventStore:
    """An empty event store with its vault; the functions work on the same, and their dead-letter queue is empty."""
    create_table(_store.client, TABLE)
    create_vault(_store.client, VAULT_TABLE)
    create_rejection_key()
    queue().create_queue(QueueName=QUEUE)
    return _store
