"""How long the HTTP API takes at the local gateway: to accept an order, and to say where one stands.

Eight callers at once, each with one request under way. Accepting is measured by itself: intake takes nothing from its
queue meanwhile, for its sagas would share the machine. Their shop is on a plan without limits.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from infra.local import aws_cli_examples
from infra.local.pipeline import Pipeline
from infra.local.runner.order_run import percentile
from infra.names import DEMO_SHOP
from tests.bench.pausing import pause
from tests.builders.shops import ORDER, Answer, Shop, on_plan_of_its_own

CALLERS = 8
REQUESTS = 1000
WARMING_UP = 50
SECONDS_TO_APPEAR = 60


def measure(pipeline: Pipeline) -> dict[str, float]:
    """``accept_ms.*`` of ``POST /v1/orders`` and ``query_ms.*`` of ``GET /v1/orders/{id}``, by percentile."""
    aws_cli_examples.stock_warehouse(pipeline)
    with on_plan_of_its_own(pipeline, DEMO_SHOP, {}):
        query, accept = _measured(pipeline, Shop.of(pipeline, "Shop"))
    return {
        f"{name}.p{share}": percentile(times, share / 100)
        for name, times in (("accept_ms", accept), ("query_ms", query))
        for share in (50, 99)
    }


def _measured(pipeline: Pipeline, shop: Shop) -> tuple[list[float], list[float]]:
    """The times of questions and of orders that were accepted, sorted."""
    path = shop.ask("POST", "/orders", ORDER, Idempotency_Key=str(uuid4())).json["status_url"].removeprefix("/v1")
    deadline = time.monotonic() + SECONDS_TO_APPEAR
    while shop.ask("GET", path).status != 200:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{path} is not there after {SECONDS_TO_APPEAR} seconds")
        time.sleep(0.1)
    query = _timed(lambda: shop.ask("GET", path), 200)
    pause(pipeline, "order_intake")
    return query, _timed(lambda: shop.ask("POST", "/orders", ORDER, Idempotency_Key=str(uuid4())), 202)


def _timed(request: Callable[[], Answer], status: int) -> list[float]:
    def one(_number: int) -> float:
        began = time.perf_counter()
        answer = request()
        assert answer.status == status, answer.body
        return (time.perf_counter() - began) * 1000

    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(one, range(WARMING_UP)))
        return sorted(callers.map(one, range(REQUESTS)))
