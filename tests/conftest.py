"""What all tests share."""

from collections.abc import Iterator

import pytest

from infra.local.emulator import Emulator
from infra.local.emulator import emulator as emulator_for_the_block

WAIT_SCALE = 0.01
"""What the waits of state machines take of their time, unless a test sets another."""


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The one emulator of the test session, empty at first: who puts things into it gives them names of their own."""
    with emulator_for_the_block() as running:
        running.scale_waits(WAIT_SCALE)
        yield running
