"""The pipeline that end-to-end tests share, with goods in stock. Each test has orders of its own."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from infra.local import aws_cli_examples
from infra.local.pipeline import Pipeline
from infra.local.pipeline import pipeline as run_pipeline
from tests.builders.shops import Shop

SECONDS = 60.0
WAIT_SCALE = 0.05
EMAILS_AT_ONCE = 5
Found = TypeVar("Found")


@pytest.fixture(scope="session")
def pipeline() -> Iterator[Pipeline]:
    with run_pipeline() as running:
        running.emulator.scale_waits(WAIT_SCALE)
        send_emails_at_any_rate(running)
        aws_cli_examples.stock_warehouse(running)
        yield running


@pytest.fixture(scope="session")
def shop(pipeline: Pipeline) -> Shop:
    return Shop.of(pipeline, "Shop")


@pytest.fixture(scope="session")
def operator(pipeline: Pipeline) -> Shop:
    return Shop.of(pipeline, "Operations")


def send_emails_at_any_rate(on: Pipeline) -> None:
    """Let more e-mails be sent at once than SES takes by default: here it takes all, and tests wait for theirs."""
    functions = on.client("lambda")
    for key in ("order_emails", "welcome_email"):
        name = on.function_name(key)
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=EMAILS_AT_ONCE)
        [mapping] = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        functions.update_event_source_mapping(
            UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": EMAILS_AT_ONCE}
        )


def eventually(look: Callable[[], Found | None], *, within: float = SECONDS) -> Found:
    """What ``look`` finds, as soon as it finds something, within so many seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing came of it within {within} seconds")
