"""What all tests share."""

from collections.abc import Iterator

import pytest

from infra.local.emulator.process import Emulator
from infra.local.emulator.process import emulator as emulator_for_the_block

# Imported first of all: it imports the functions, under the environment of tests.
from tests.engines import in_process as in_process

WAIT_SCALE = 0.01
"""What the waits of state machines take of their time, unless a test sets another."""
SHARED = ("pipeline", "packages")
"""Fixtures that are made for the modules of a whole folder, and cost too much to be made in two processes."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Where several processes run the tests, keep in one of them what shares a costly fixture.

    Elsewhere that is a module, and nothing for unit tests: they go wherever there is room.
    """
    for item in items:
        shared = [name for name in SHARED if name in item.fixturenames]
        if shared:
            item.add_marker(pytest.mark.xdist_group(shared[0]))
        elif "unit" not in item.path.parts:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The one emulator of the test session, empty at first. A module names its things differently, or removes them."""
    with emulator_for_the_block() as running:
        running.scale_waits(WAIT_SCALE)
        yield running
