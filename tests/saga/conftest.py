"""The functions, and a table of their own, for each module."""

from collections.abc import Iterator

import pytest

from infra.local.emulator.process import Emulator
from tests.engines.in_process import Functions, Table, functions


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest, emulator: Emulator) -> Table:
    return Table(emulator.client("dynamodb"), request.module.__name__)


@pytest.fixture(scope="module")
def loaded(emulator: Emulator, table: Table) -> Iterator[Functions]:
    with functions(emulator, {"TABLE_NAME": table.name}) as running:
        yield running
