"""The past once more: replays into views alone, and projections that are rebuilt, against the pipeline as deployed."""

import json
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

from typer.testing import Result

from events.currencies import formatted
from events.integration import OrderSubmitted
from events.ordering import OrderCancelled, OrderConfirmed, OrderPlaced
from events.publishing.publisher import Publisher
from events.shops import of_shop
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.engine.known_generations import KnownGenerations
from handlers.projections.registry import PROJECTIONS
from handlers.queries.counters import CounterQueries
from handlers.table.event_store import EventStore
from infra.local.pipeline import Pipeline
from infra.local.runner.audit_input import read_emails, read_table
from infra.names import DEMO_SHOP
from tests.builders import commands
from tests.builders.shops import ORDER
from tests.e2e.conftest import eventually

TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
YEAR = ("--from", f"{datetime.now(UTC).year}-01-01", "--window", "400d")


def run_command(pipeline: Pipeline, *arguments: str) -> Result:
    done = commands.run_command("--endpoint", pipeline.endpoint, *arguments)
    assert done.exit_code == 0, done.stderr
    return done


def printed(pipeline: Pipeline, *arguments: str) -> list[list[str]]:
    return [line.split("\t") for line in run_command(pipeline, *arguments).stdout.splitlines()]


def ordered(pipeline: Pipeline, customer_id: str, *order_ids: str) -> None:
    """Hand in orders of a customer."""
    customer = {"customer_id": customer_id, "email": f"{customer_id}@example.com"}
    orders = [
        OrderSubmitted.model_validate({**ORDER, "order_id": each, "customer": customer}, strict=False)
        for each in order_ids
    ]
    Publisher(pipeline.client("events"), pipeline.intake_bus, "e2e").publish(orders)


def confirmed(pipeline: Pipeline, customer_id: str, orders: int) -> bool:
    """Whether, and as the customer's view has it, so many orders are confirmed."""
    store = EventStore(pipeline.client("dynamodb"), pipeline.table_name)
    counters = CounterQueries(store, KnownGenerations(GenerationStore(store.client, store.table)))
    return counters.customer(of_shop(DEMO_SHOP, customer_id)).get("confirmed") == orders


def sold(pipeline: Pipeline) -> list[list[str]]:
    """Today's sales, folded from the log."""
    log = read_table(pipeline).log
    placed = {stream: each.event for (stream, _), each in log.items() if isinstance(each.event, OrderPlaced)}
    cancelled = {stream for (stream, _), each in log.items() if isinstance(each.event, OrderCancelled)}
    orders, totals = Counter[str](), Counter[str]()
    for (stream, _), each in log.items():
        if isinstance(each.event, OrderConfirmed) and stream not in cancelled and each.occurred_at[:10] == TODAY:
            orders[placed[stream].currency] += 1
            totals[placed[stream].currency] += placed[stream].total
    return [[str(orders[currency]), formatted(totals[currency], currency)] for currency in sorted(orders)]


def at_rest(pipeline: Pipeline) -> bool:
    """Whether all that was delivered to projections has been dealt with."""
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    sqs = pipeline.client("sqs")
    return not any(
        int(number)
        for function in {each.function for each in PROJECTIONS.values()}
        for number in sqs.get_queue_attributes(QueueUrl=pipeline.queue_url(function), AttributeNames=counts)[
            "Attributes"
        ].values()
    )


def emails_to(pipeline: Pipeline, customer_id: str) -> int:
    """How many e-mails went to a customer."""
    return sum(customer_id in each.to for each in read_emails(pipeline))


def sagas(pipeline: Pipeline) -> Counter[str]:
    """How often the express lane was started for each order."""
    client = pipeline.client("stepfunctions")
    pages = client.get_paginator("list_executions").paginate(stateMachineArn=pipeline.express_state_machine_arn)
    inputs = [
        json.loads(client.describe_execution(executionArn=each["executionArn"])["input"])
        for page in pages
        for each in page["executions"]
    ]
    return Counter(each["order_id"] for each in inputs)


def test_replays_over_live_orders_leave_views_as_they_were(pipeline: Pipeline) -> None:
    customer = f"c-{uuid4().hex}"
    past, live = ([f"{when}-{number}-{customer}" for number in range(2)] for when in ("past", "live"))
    ordered(pipeline, customer, *past)
    eventually(lambda: confirmed(pipeline, customer, 2) and at_rest(pipeline))
    welcome = 1

    ordered(pipeline, customer, *live)
    everything = int(run_command(pipeline, "replay", *YEAR).stdout.split()[0])
    of_sales = int(run_command(pipeline, "replay", *YEAR, "--only", "daily_sales").stdout.split()[0])
    assert 2 <= of_sales < everything / 3

    eventually(lambda: confirmed(pipeline, customer, 4) and at_rest(pipeline))
    eventually(lambda: printed(pipeline, "sales", TODAY) == sold(pipeline))
    counts, orders = printed(pipeline, "customer", customer)[:4], printed(pipeline, "customer", customer)[4:]
    assert counts == [["placed", "4"], ["confirmed", "4"], ["cancelled", "0"], ["spent", "GBP 36.00"]]
    placed = [of_shop(DEMO_SHOP, each) for each in (*past, *live)]
    assert sorted((row[0], row[2]) for row in orders) == sorted((each, "CONFIRMED") for each in placed)
    started = sagas(pipeline)
    assert {each: started[each] for each in placed} == dict.fromkeys(placed, 1)
    # One for each order, and none for what was replayed.
    eventually(lambda: emails_to(pipeline, customer) >= welcome + len(placed))
    assert emails_to(pipeline, customer) == welcome + len(placed)


def test_a_projection_is_rebuilt_and_readers_go_back(pipeline: Pipeline) -> None:
    customer = f"c-{uuid4().hex}"
    ordered(pipeline, customer, f"rebuilt-{uuid4().hex}")
    eventually(lambda: confirmed(pipeline, customer, 1))
    eventually(lambda: printed(pipeline, "sales", TODAY) == sold(pipeline))
    before = printed(pipeline, "sales", TODAY)

    built = run_command(pipeline, "rebuild", "daily_sales")
    found = dict(line.split("\t") for line in built.stdout.splitlines())
    assert found["compared with the log"] == found["streams"]
    assert "pipeline --endpoint" in built.stderr.splitlines()[-1]
    assert ["daily_sales", found["generation"], "live"] in printed(pipeline, "generations", "daily_sales")
    assert printed(pipeline, "sales", TODAY) == before

    run_command(pipeline, "rollback", "daily_sales")
    assert [row[2] for row in printed(pipeline, "generations", "daily_sales")] == ["live", "retiring"]
    assert printed(pipeline, "sales", TODAY) == before
