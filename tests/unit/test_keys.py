"""The keys of the table: written in one module, and read back as they were made."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.shops import of_shop
from handlers.table import keys
from handlers.table.keys import Key

ROOT = Path(__file__).parents[2]
KEYS = ROOT / "handlers" / "table" / "keys.py"
PART_OF_A_KEY = re.compile(
    r"(^|\W)(event|level|view|applied|projection|sandbox|import|token)#|#(customer|shop|status|order)#|\bGSI\d"
)
SORT_KEYS = {"level", "control", "book", "import"}

ids = st.text("abc-_19", min_size=1, max_size=12)
shops = st.text("ab19", min_size=1, max_size=3)
versions = st.integers(1, 10**10 - 1)


def literals(file: Path) -> Iterator[ast.Constant]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node


def key_literals(file: Path) -> list[str]:
    return [
        f"{file.relative_to(ROOT)}:{literal.lineno}: {literal.value!r}"
        for literal in literals(file)
        if PART_OF_A_KEY.search(str(literal.value)) or literal.value in SORT_KEYS
    ]


@pytest.mark.parametrize("folder", ["handlers", "infra"])
def test_no_other_module_writes_a_key_of_the_table(folder: str) -> None:
    files = sorted(file for file in (ROOT / folder).rglob("*.py") if file != KEYS)
    assert files
    assert [found for file in files for found in key_literals(file)] == []


def test_the_search_for_literals_finds_those_of_the_keys_themselves() -> None:
    assert len(key_literals(KEYS)) > len(SORT_KEYS)


@given(ids, versions, versions)
def test_events_of_a_stream_sort_by_version(stream: str, one: int, other: int) -> None:
    sort_keys = keys.event(stream, one).sk, keys.event(stream, other).sk
    assert (sort_keys[0] < sort_keys[1]) == (one < other)
    assert keys.version_of(sort_keys[0]) == one


@given(ids, ids, ids | st.just(""))
def test_a_counter_names_its_generation_and_its_detail(view: str, generation: str, detail: str) -> None:
    key = keys.counter(view, generation, detail)
    assert (keys.generation_of(key.sk), keys.detail_of(key.sk)) == (generation, detail)


@given(ids, shops, ids, ids)
def test_every_status_partition_is_among_those_that_are_read_of_its_shop(
    generation: str, shop: str, status: str, own_id: str
) -> None:
    partition = keys.status_partition(generation, status, of_shop(shop, own_id))
    assert partition in keys.status_partitions(generation, shop, status)


@given(ids, shops, shops, ids, ids)
def test_no_status_partition_is_of_two_shops(generation: str, one: str, other: str, status: str, own_id: str) -> None:
    partition = keys.status_partition(generation, status, of_shop(one, own_id))
    assert (partition in keys.status_partitions(generation, other, status)) == (one == other)


@given(shops, ids, ids)
def test_a_person_is_with_the_others_of_the_customer_and_a_guest_alone(shop: str, own_id: str, customer: str) -> None:
    order_id = of_shop(shop, own_id)
    assert keys.person(order_id, of_shop(shop, customer)) == (f"{shop}#{customer}", own_id)
    assert keys.person(order_id, None) == (f"{shop}#order#{own_id}", own_id)


@given(ids, st.tuples(shops, ids, ids | st.none()), st.tuples(shops, ids, ids | st.none()))
def test_no_two_orders_share_a_person_and_none_a_token(
    content_hash: str, one: tuple[str, str, str | None], other: tuple[str, str, str | None]
) -> None:
    """Ids have neither of the separators. IAM tells the two kinds apart by them."""
    made = []
    for shop, own_id, customer in {one, other}:
        order_id = of_shop(shop, own_id)
        person = keys.person(order_id, of_shop(shop, customer) if customer else None)
        assert (fnmatchcase(person.pk, keys.PERSONS), fnmatchcase(person.pk, keys.PAYMENT_TOKENS)) == (True, False)
        assert person.pk.startswith(f"{shop}#")
        made.append(person)
    for order_id in {of_shop(shop, own_id) for shop, own_id, _ in (one, other)}:
        token = keys.payment_token(order_id, content_hash)
        assert (fnmatchcase(token.pk, keys.PERSONS), fnmatchcase(token.pk, keys.PAYMENT_TOKENS)) == (False, True)
        assert token != keys.payment_token(order_id, f"{content_hash}2")
        made.append(token)
    assert len(set(made)) == len(made)


@given(ids, ids)
def test_a_key_is_read_from_an_item_as_it_was_written(pk: str, sk: str) -> None:
    assert Key.of({**Key(pk, sk).attributes, "more": {"N": "1"}}) == Key(pk, sk)


@given(ids, versions)
def test_items_of_different_kinds_have_different_keys(name: str, version: int) -> None:
    made = [
        keys.event(f"order#{name}", version),
        keys.level(name),
        keys.generations(name),
        keys.order_view(name, "1"),
        keys.counter(f"{keys.views('stock')}{name}", "1"),
        keys.applied_marker(name, "1", f"order#{name}", version),
        keys.book("payments", name),
        keys.book("shipping", name),
        keys.imported_order(name, name),
        keys.SWEEP,
    ]
    assert len({key.pk for key in made}) == len(made)
    assert [key.sk.startswith(keys.EVENT) for key in made] == [True] + [False] * (len(made) - 1)


@given(ids, versions)
def test_a_marker_names_its_stream_and_has_sixteen_versions_of_it(stream: str, version: int) -> None:
    marker = keys.applied_marker("daily_sales", "12", stream, version)
    assert keys.marked_stream(marker) == stream
    assert marker != keys.applied_marker("daily_sales", "12", stream, version + 16)
    first = version // 16 * 16
    assert {keys.applied_marker("daily_sales", "12", stream, first + each) for each in range(16)} == {marker}


@given(ids)
def test_the_items_of_a_kind_are_below_its_prefix(name: str) -> None:
    assert keys.level(name).pk.startswith(keys.LEVEL)
    assert keys.generations(name).pk.startswith(keys.GENERATIONS)
    assert keys.order_view(name, "1").pk == f"{keys.ORDER_VIEWS}{name}"
    assert keys.ORDER_VIEWS.startswith(keys.VIEW)
    assert keys.applied_marker(name, "1", "order#demo.1", 1).pk.startswith(keys.applied(name, "1"))
    assert keys.applied(name, "1").startswith(keys.applied(name))
    assert keys.applied(name).startswith(keys.APPLIED)
    assert keys.book("payments", name).pk == f"{keys.books('payments')}{name}"
    assert keys.books("payments").startswith(keys.SANDBOX)
    assert keys.imported_order(name, name).pk == f"{keys.imported(name)}{name}"
    assert keys.imported(name).startswith(keys.IMPORT)
