"""The functions and their table, for each module."""

from collections.abc import Iterator

import pytest

from infra.local.emulator.process import Emulator
from tests.engines.in_process import Functions, functions
from tests.engines.table import Table
from tests.engines.table import table as table_for_the_block


@pytest.fixture(scope="module")
def table(emulator: Emulator) -> Iterator[Table]:
    with table_for_the_block(emulator) as table:
        yield table


@pytest.fixture(scope="module")
def loaded(emulator: Emulator, table: Table) -> Iterator[Functions]:
    with functions(emulator) as running:
        yield running
