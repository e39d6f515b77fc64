"""What unit tests share: AWS as moto imitates it, new and empty for every test."""

import importlib
import io
import os
import sys
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings

from tests.unit import ENVIRONMENT, QUEUE, TABLE

if "handlers.runtime.aws" in sys.modules:
    raise RuntimeError("handlers.runtime.aws was imported before moto: its clients would reach for AWS itself")

# The functions make their clients when they are imported. moto has to be there by then, and no emulator's endpoint.
with patch.dict(os.environ, ENVIRONMENT):
    for elsewhere in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(elsewhere, None)
    importlib.import_module("moto")
    aws = importlib.import_module("handlers.runtime.aws")
    functions = importlib.import_module("infra.functions")
    for function in (*functions.FUNCTIONS, functions.AUTHORIZER):
        importlib.import_module(function.handler.removesuffix(".handler"))
    client = aws.dynamodb()

from moto import mock_aws

from handlers.runtime.observability import logger
from handlers.table.event_store import EventStore
from tests.builders.samples import queue
from tests.builders.tables import create_table

_store = EventStore(client, TABLE)

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
