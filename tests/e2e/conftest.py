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
Found = TypeVar("Found")


@pytest.fixture(scope="session")
def pipeline() -> Iterator[Pipeline]:
    with run_pipeline() as running:
        running.emulator.scale_waits(WAIT_SCALE)
        aws_cli_examples.stock_warehouse(running)
        yield running


@pytest.fixture(scope="session")
def shop(pipeline: Pipeline) -> Shop:
    return Shop.of(pipeline, "Shop")


@pytest.fixture(scope="session")
def operator(pipeline: Pipeline) -> Shop:
    return Shop.of(pipeline, "Operations")


def eventually(look: Callable[[], Found | None]) -> Found:
    """What ``look`` finds, as soon as it finds something."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing came of it within {SECONDS} seconds")
