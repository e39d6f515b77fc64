"""A projection's code is changed, and the projection rebuilt, while orders come in and readers read."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from events.shops import of_shop, own_id
from handlers.projections.engine.generations import Generations, GenerationStore
from handlers.projections.order_fold import fold
from handlers.table.event_store import recorded
from infra.local.pipeline import Pipeline
from infra.local.runner.audit_input import read_emails
from infra.local.transform import function_zip
from infra.names import DEMO_SHOP
from infra.package import build_zips
from tests.builders.shops import ORDER, Shop
from tests.e2e.conftest import eventually

BEFORE, AFTER = '"total": placed.total,', '"total": placed.total * 2,'
CODE = "handlers/projections/order_fold.py"
BYTECODE = "handlers/projections/__pycache__/order_fold."
TOTAL = 900
ORDERS = 12
PAUSE_SECONDS = 0.4

Walk = Mapping[str, int]
"""The total of each order in a list, read page by page."""


def code(function: str, change: Callable[[str], str]) -> bytes:
    """A function's code, with the order view's fold changed, and without the bytecode of what it was."""
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(build_zips("local")["main"].code[function]) as original,
        zipfile.ZipFile(changed, "w") as target,
    ):
        for entry in original.infolist():
            if entry.filename.startswith(BYTECODE):
                continue
            content = original.read(entry)
            target.writestr(entry, change(content.decode()).encode() if entry.filename == CODE else content)
    return function_zip(changed.getvalue())


def deploy(pipeline: Pipeline, change: Callable[[str], str] = lambda text: text) -> None:
    for key in ("order_view", "rebuild"):
        pipeline.client("lambda").update_function_code(
            FunctionName=pipeline.function_name(key), ZipFile=code(key, change)
        )


def rebuild(pipeline: Pipeline, **wanted: Any) -> str:
    """Start to rebuild the order view; returns the execution."""
    arn: str = pipeline.client("stepfunctions").start_execution(
        stateMachineArn=pipeline.outputs["RebuildStateMachineArn"],
        input=json.dumps({"projection": "order_view", **wanted}),
    )["executionArn"]
    return arn


def ended(pipeline: Pipeline, execution: str) -> Mapping[str, Any]:
    sagas = pipeline.client("stepfunctions")

    def look() -> Mapping[str, Any] | None:
        found: Mapping[str, Any] = sagas.describe_execution(executionArn=execution)
        return None if found["status"] == "RUNNING" else found

    return eventually(look)


def generations(pipeline: Pipeline) -> Generations:
    return GenerationStore(pipeline.client("dynamodb"), pipeline.table_name).read("order_view")


def place(shop: Shop) -> str:
    answer = shop.ask("POST", "/orders", {**ORDER, "customer": {"email": "jo@example.com"}})
    assert answer.status == 202
    return str(answer.json["order_id"])


def walk(shop: Shop) -> Walk:
    """The shop's orders that are confirmed, read page by page: an order comes once at most."""
    totals: dict[str, int] = {}
    cursor = ""
    while True:
        page = shop.ask("GET", f"/orders?status=CONFIRMED&limit=5{cursor}").json
        for order in page["orders"]:
            assert order["order_id"] not in totals
            totals[order["order_id"]] = order["total"]
        if page["cursor"] is None:
            return totals
        cursor = f"&cursor={page['cursor']}"


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Do something a few times a second, in a thread, for the time of the block."""
    stopped = threading.Event()
    problems: list[BaseException] = []

    def again() -> None:
        try:
            while not stopped.wait(PAUSE_SECONDS):
                work()
        except BaseException as problem:
            problems.append(problem)

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    assert problems == []


def items(pipeline: Pipeline) -> list[Mapping[str, Any]]:
    pages = (
        pipeline.client("dynamodb").get_paginator("scan").paginate(TableName=pipeline.table_name, ConsistentRead=True)
    )
    return [item for page in pages for item in page["Items"]]


def shown(pipeline: Pipeline, generation: str, orders: list[str]) -> dict[str, tuple[str, int]]:
    """Status and total of the shop's orders in a generation."""
    views = {
        own_id(item["PK"]["S"].removeprefix("view#order#")): item
        for item in items(pipeline)
        if item["PK"]["S"].startswith("view#order#") and item["SK"]["S"] == generation
    }
    return {each: (views[each]["status"]["S"], int(views[each]["total"]["N"])) for each in orders if each in views}


def logged(pipeline: Pipeline, orders: list[str]) -> dict[str, tuple[str, int]]:
    """The same, folded from the log."""
    streams: dict[str, list[Any]] = {f"order#{of_shop(DEMO_SHOP, each)}": [] for each in orders}
    for item in items(pipeline):
        if item["PK"]["S"] in streams and item["SK"]["S"].startswith("event#"):
            streams[item["PK"]["S"]].append(recorded(item))
    folded = {stream: fold(sorted(history, key=lambda each: each.version)) for stream, history in streams.items()}
    return {own_id(stream): (view["status"], view["total"]) for stream, view in folded.items() if view}


@pytest.fixture
def restored(pipeline: Pipeline) -> Iterator[None]:
    """Afterwards the code is as it was, and so are the views."""
    yield
    deploy(pipeline)
    assert ended(pipeline, rebuild(pipeline, keep_seconds=0, restart=True))["status"] == "SUCCEEDED"


@pytest.mark.usefixtures("restored")
def test_a_projection_is_changed_and_rebuilt_under_live_traffic(pipeline: Pipeline, shop: Shop) -> None:
    began = datetime.now(UTC)
    first = [place(shop) for _ in range(ORDERS)]
    placed = list(first)
    eventually(lambda: set(first) <= walk(shop).keys())
    before = generations(pipeline).live
    deploy(pipeline, lambda text: text.replace(BEFORE, AFTER))
    walks: list[Walk] = []
    with meanwhile(lambda: placed.append(place(shop))), meanwhile(lambda: walks.append(walk(shop))):
        execution = rebuild(pipeline, keep_seconds=100_000)
        live = eventually(lambda: generations(pipeline).live != before and generations(pipeline).live)
        eventually(lambda: bool(walks) and walks[-1][first[0]] == 2 * TOTAL)
    assert {before, live} <= set(generations(pipeline).updated)

    # No reader has seen a mix: a list was all of the old generation, or all of the new.
    seen = Counter(frozenset(each[order] for order in first) for each in walks)
    assert seen.keys() == {frozenset({TOTAL}), frozenset({2 * TOTAL})}

    # The new generation is what the changed code folds the log to.
    expected = dict.fromkeys(placed, ("CONFIRMED", TOTAL))
    eventually(lambda: logged(pipeline, placed) == expected)
    eventually(
        lambda: (
            shown(pipeline, str(live), placed)
            == {order: (status, 2 * total) for order, (status, total) in expected.items()}
        )
    )

    # One execution, and one e-mail, for each order.
    sagas = pipeline.client("stepfunctions")
    executions = sagas.list_executions(stateMachineArn=pipeline.express_state_machine_arn, maxResults=1000)[
        "executions"
    ]
    inputs = [
        sagas.describe_execution(executionArn=each["executionArn"])["input"]
        for each in executions
        if each["startDate"] >= began
    ]
    assert Counter(own_id(json.loads(each)["order_id"]) for each in inputs) == dict.fromkeys(placed, 1)
    notified = [item for item in items(pipeline) if item.get("type", {}).get("S") == "CustomerNotified"]
    assert len(read_emails(pipeline)) == len(notified)
    sagas.stop_execution(executionArn=execution)
