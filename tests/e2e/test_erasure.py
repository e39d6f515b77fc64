"""People are forgotten by the pipeline as it is deployed: a small proof of it, what waits, and what is held on them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from infra.functions import FUNCTIONS
from infra.local.pipeline import Pipeline
from tests.builders.commands import run_command
from tests.builders.marked_orders import WAYS, MarkedOrder, put
from tests.builders.shops import Shop
from tests.e2e.conftest import SECONDS, eventually
from tests.engines.erasure_proof import Proof

COMMAND = str(Path(sys.executable).with_name("pipeline"))
COUNT = 12


def test_of_the_erased_nothing_is_left_and_of_the_others_everything(pipeline: Pipeline, shop: Shop) -> None:
    proof = Proof(pipeline, shop, COUNT, f"e{uuid4().hex[:8]}", SECONDS)
    assert {each.way for each in proof.erased} == {each.way for each in proof.kept} == set(WAYS)
    proof.run()
    assert proof.search() == proof.expected(proof.orders)
    proof.erase()
    assert proof.search() == proof.expected(proof.kept)
    proof.check_views()


def test_an_order_under_way_is_waited_for_and_then_erased(pipeline: Pipeline) -> None:
    order = MarkedOrder(0, "confirmed", "bus", f"waits-{uuid4().hex[:8]}", f"w{uuid4().hex[:8]}")
    with stopped(pipeline, "payments_service"):
        put(pipeline, [("OrderSubmitted", order.detail)])
        eventually(lambda: exported(pipeline, order))
        command = [COMMAND, "--endpoint", pipeline.endpoint, "erase", "--customer", f"demo.{order.customer}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as erasing:
            assert erasing.stderr
            assert erasing.stderr.readline() == f"waiting for orders under way: {order.order_id} (PLACED)\n"
            assert person(exported(pipeline, order))["address"]["name"] == order.mark("name")
            go_on(pipeline, "payments_service")
            printed, _ = erasing.communicate(timeout=SECONDS)
    assert erasing.returncode == 0
    assert printed.splitlines()[0] == "orders\t1"
    document = eventually(lambda: erased(exported(pipeline, order)))
    assert document["orders"][0]["view"]["status"] == "CONFIRMED"
    assert person(document) == "erased"


def exported(pipeline: Pipeline, order: MarkedOrder) -> Any:
    """What is held on an order's customer; nothing where nobody knows them yet."""
    done = run_command("--endpoint", pipeline.endpoint, "export", "--customer", f"demo.{order.customer}")
    return json.loads(done.stdout) if done.exit_code == 0 else None


def person(document: Any) -> Any:
    return document["orders"][0]["person"]


def erased(document: Any) -> Any:
    """The document, once the view of the order says that it is erased."""
    return document if document["orders"][0]["view"].get("personal_data") == "erased" else None


@contextmanager
def stopped(pipeline: Pipeline, key: str) -> Iterator[None]:
    """For the time of the block a function does nothing, until it may go on."""
    limit(pipeline, key, 0)
    try:
        yield
    finally:
        go_on(pipeline, key)


def go_on(pipeline: Pipeline, key: str) -> None:
    [spec] = [function for function in FUNCTIONS if function.key == key]
    limit(pipeline, key, spec.local_concurrency)


def limit(pipeline: Pipeline, key: str, calls: int) -> None:
    pipeline.client("lambda").put_function_concurrency(
        FunctionName=pipeline.function_name(key), ReservedConcurrentExecutions=calls
    )
