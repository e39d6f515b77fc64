"""The grants of each function compared with the calls it makes: none is unneeded, and none is missing.

Functions run here, in this process, on what other tests give them: the cases of tests/crash and, for functions that
these leave out, what follows at the end. Each runs until it has used all that the template grants it. What calls need
says tests/engines/roles.py, by which functions are held to the keys of the table in all other tests, too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from events import streams
from events.envelope import Recorded
from events.inventory import StockLow
from events.ordering import CancellationRequested, OrderRejected
from events.shops import own_id
from handlers.functions.resources import event_store
from handlers.intake.callers import OPERATE, READ, Caller
from handlers.projections.engine import counting
from infra.function_spec import SendEmail
from infra.functions import FUNCTIONS
from infra.local.emulator.process import ACCOUNT, REGION, Emulator
from tests.builders import api
from tests.builders.environment import (
    ARCHIVE,
    CANCELLATION_SAGA,
    CONFIGURATION_SET,
    DEAD_LETTER_BUCKET,
    ERASURE_LEDGER,
    ORDER_QUEUE,
    ORDER_SAGA,
    OWN_QUEUE,
    QUEUE,
    REJECTION_KEY,
    SENDER,
    VAULT_TABLE,
)
from tests.builders.erasing import confirm, dead_letter, erase, message, place, submitted
from tests.builders.generated_log import run
from tests.builders.messages import domain_event, integration_event, sqs
from tests.builders.recorded_events import record
from tests.crash.cases import CASES, FORWARD, ORDER, Case, after, log, nothing, rejected_before
from tests.crash.test_file_import import BUCKET as FILES
from tests.crash.test_file_import import ENOUGH, SHORT, Importing
from tests.engines.in_process import WIRE
from tests.engines.projecting import PROJECTIONS, projecting
from tests.engines.rebuild_machine import Machine
from tests.engines.roles import Need, needed, on_part
from tests.engines.wire import Answer, Call
from tests.engines.world import World
from tests.engines.world import world as world_for_the_block
from tests.infra.template import Template, target_of, written

# What Lambda does by the function's role: it receives what triggers the function, keeps batches that never succeed, and
# takes logs and traces.
BY_LAMBDA = [
    Need(action, on)
    for action, on in (
        *(("sqs:ReceiveMessage", "*"), ("sqs:DeleteMessage", "*"), ("sqs:GetQueueAttributes", "*")),
        *(("dynamodb:DescribeStream", "*"), ("dynamodb:GetRecords", "*"), ("dynamodb:GetShardIterator", "*")),
        *(("dynamodb:ListStreams", "*"), ("s3:PutObject", "StreamFailures/*"), ("s3:ListBucket", "StreamFailures")),
        *(("logs:CreateLogStream", "*"), ("logs:PutLogEvents", "*")),
        *(("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")),
    )
]
OPERATOR = Caller(subject="an operator", client="operations", scopes=f"{READ} {OPERATE}")
UNKNOWN = "demo.unknown"
LOW = StockLow(sku="apple", available=1, threshold=2, level_version=2)
STATE_MACHINES = {ORDER_SAGA: "Saga", CANCELLATION_SAGA: "Cancellation"}
NAMES = {function.key: function.name for function in FUNCTIONS}
"""The functions' names in the template."""
QUEUED = {function.key: function.queued for function in FUNCTIONS}
GRANTS = {function.key: function.grants for function in FUNCTIONS}


Needs = Mapping[str, set[Need]]
"""What functions need, or are granted, by their keys."""


class Uses:
    """A tap that gathers what the calls of each function need. ``beneath`` answers calls instead of AWS."""

    def __init__(self, needs: Needs, beneath: Callable[[Call], Answer | None] = lambda _: None) -> None:
        self._needs = needs
        self._beneath = beneath

    def before(self, call: Call) -> Answer | None:
        answer = self._beneath(call)
        if answer is not None:
            self.after(call, answer)
        return answer

    def after(self, call: Call, answer: Answer) -> None:
        self._needs[call.function].update(as_in_template(need, call.function) for need in needed(call, answer))


@dataclass(frozen=True)
class Scene:
    """Where functions run, and what they need so far."""

    world: World
    emulator: Emulator
    needs: Needs


Scenario = Callable[[Scene], None]
"""Lets functions run."""


@pytest.fixture(scope="module")
def granted(template: Template) -> Needs:
    """What each function is granted for what it does itself."""
    return {
        key: {grant for grant in grants(template, key) if not any(each.covers(grant) for each in BY_LAMBDA)}
        for key in NAMES
    }


@pytest.fixture(scope="module")
def needs(granted: Needs, emulator: Emulator) -> Needs:
    """What the calls of each function need: each runs until it has used all its grants, or all was tried."""
    needs: Needs = {key: set() for key in ["", *NAMES]}
    with world_for_the_block(emulator) as world, world.functions.wire.tapped(Uses(needs)):
        scene = Scene(world, emulator, needs)
        for key in NAMES:
            for scenario in scenarios(key):
                if not unused(granted[key], needs[key]):
                    break
                scenario(scene)
    return needs


@pytest.mark.parametrize("key", NAMES)
def test_a_function_uses_every_grant_that_it_has(granted: Needs, needs: Needs, key: str) -> None:
    assert unused(granted[key], needs[key]) == set()


@pytest.mark.parametrize("key", NAMES)
def test_a_function_is_granted_all_that_it_does(granted: Needs, needs: Needs, key: str) -> None:
    assert {need for need in needs[key] if not any(grant.covers(need) for grant in granted[key])} == set()


def unused(granted: set[Need], needs: set[Need]) -> set[Need]:
    return {grant for grant in granted if not any(grant.covers(need) for need in needs)}


def grants(template: Template, key: str) -> Iterator[Need]:
    """What a function is granted, each action on each resource: with the wildcards of IAM."""
    types = {name: resource["Type"] for name, resource in template.raw["Resources"].items()}
    for statement in template.statements(template.role_of(NAMES[key])):
        for resource in statement["Resource"]:
            name, part = in_words(template, resource)
            conditions = statement.get("Condition", {})
            leading_keys = conditions.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
            named = conditions.get("ForAllValues:StringEquals", {}).get("dynamodb:Attributes")
            attributes = frozenset(named) if named else None
            for action in statement["Action"]:
                if types.get(name) == "AWS::DynamoDB::Table" and not part.startswith("/stream"):
                    on = VAULT_TABLE if name == "Vault" else part.removeprefix("/index/") or None
                    yield from (Need(on_part(action, on), each, attributes) for each in leading_keys or ["*"])
                else:
                    yield Need(action, re.sub("[0-9A-F]{8}$", "", name) + part)


def in_words(template: Template, resource: Any) -> tuple[str, str]:
    """The logical id of what a grant is on, or what it is called, and which part of it."""
    _, _, replays = written(resource).partition(":replay/")
    match resource:
        case _ if replays:
            return f"replay/{replays}", ""
        case {"Fn::Join": ["", [whole, str(path)]]}:
            return target_of(whole), path
        case {"Fn::GetAtt": [str(name), "StreamArn"]}:
            return name, "/stream"
        case dict():
            name = target_of(resource)
            if name in template.of_type("AWS::Events::Archive"):
                return f"archive/{ARCHIVE}", ""
            bus = template.of_type("AWS::Events::EventBus").get(name)
            return (f"event-bus/{bus['Name'].rpartition('-')[2]}" if bus else name), ""
    return str(resource), ""


def as_in_template(need: Need, function: str) -> Need:
    """What a call of a function needs, with the names that things have in the template."""
    names = {
        QUEUE: f"{NAMES.get(function)}DeadLetterQueue",
        OWN_QUEUE: f"{NAMES.get(function)}Queue",
        ORDER_QUEUE: "OrderIntakeQueue",
        FILES: "Files",
        DEAD_LETTER_BUCKET: "DeadLetterBucket",
        SENDER: "MailSender",
        REJECTION_KEY: "RejectionKey",
        ERASURE_LEDGER: "ErasureLedger",
        **{arn.rpartition(":")[2]: f"{name}StateMachine" for arn, name in STATE_MACHINES.items()},
    }
    if need.on == f"configuration-set/{CONFIGURATION_SET}":
        return need._replace(on="ConfigurationSet")
    whole, slash, part = need.on.partition("/")
    return need._replace(on=f"{names.get(whole, whole)}{slash}{part}")


def scenarios(key: str) -> Iterator[Scenario]:
    """What a function may be given: one after the other, for mostly a few are enough."""
    if key in ELSEWHERE:
        yield ELSEWHERE[key]
        return
    if QUEUED[key]:
        yield partial(deliver, Case(key, lambda _: sqs("{"), nothing))
    yield from (partial(deliver, case) for case in CASES.values() if case.function == key)
    if SendEmail() in GRANTS[key]:
        yield partial(deliver_while_ses_takes_none, key)
    if key == counting.FUNCTION:
        yield deliver_while_one_projection_fails


def deliver_while_one_projection_fails(scene: Scene) -> None:
    """Let an event be delivered that another projection counts too."""

    def refused(call: Call) -> Answer | None:
        refusal = {"Error": {"Code": "AccessDeniedException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        counts_sales = call.operation == "TransactWriteItems" and "applied#daily_sales#" in str(call.parameters)
        return Answer(refusal) if counts_sales else None

    queue = scene.emulator.client("sqs").create_queue(QueueName=OWN_QUEUE)["QueueUrl"]
    with WIRE.tapped(Uses(scene.needs, refused)):
        deliver(CASES["counted, confirmed"], scene)
    scene.emulator.client("sqs").delete_queue(QueueUrl=queue)


def deliver(case: Case, scene: Scene) -> None:
    """Let a message be delivered, after what happened before."""
    scene.world.begin({})
    case.prior(scene.world)
    scene.world.deliver(case.function, case.message(scene.world))


def deliver_while_ses_takes_none(key: str, scene: Scene) -> None:
    """Let each message about an e-mail be delivered while SES has the account's sending paused."""

    def refused(call: Call) -> Answer | None:
        paused = {"Error": {"Code": "SendingPausedException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return Answer(paused) if call.operation == "SendEmail" else None

    queue = scene.emulator.client("sqs").create_queue(QueueName=OWN_QUEUE)["QueueUrl"]
    with WIRE.tapped(Uses(scene.needs, refused)):
        for case in CASES.values():
            if case.function == key:
                deliver(case, scene)
    scene.emulator.client("sqs").delete_queue(QueueUrl=queue)


def import_a_file(scene: Scene) -> None:
    """In many stretches; then it is announced again, and after it what is no announcement."""
    s3, sqs_client = scene.emulator.client("s3"), scene.emulator.client("sqs")
    s3.create_bucket(Bucket=FILES)
    s3.put_bucket_versioning(Bucket=FILES, VersioningConfiguration={"Status": "Enabled"})
    queues = {
        name: sqs_client.create_queue(QueueName=queue)["QueueUrl"]
        for name, queue in {"own": OWN_QUEUE, "orders": ORDER_QUEUE}.items()
    }
    importing, times = Importing(scene.emulator, scene.world.functions, queues), itertools.cycle([ENOUGH, SHORT])
    body = importing.dropped()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scene.world.functions, "remaining_ms", lambda: next(times))
        importing.go_on([body, body])
    scene.world.deliver("file_import", sqs("{"))
    for url in queues.values():
        sqs_client.delete_queue(QueueUrl=url)


def store_a_message_that_failed_again(scene: Scene) -> None:
    """The message that it was redriven from is gone."""
    scene.emulator.client("s3").create_bucket(Bucket=DEAD_LETTER_BUCKET)
    message = sqs("{", redriven_from="open/2026/02/01/order_intake/Throttled/m0.1.json")
    message["Records"][0]["eventSourceARN"] = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}"
    message["Records"][0]["attributes"]["SentTimestamp"] = "0"
    scene.world.deliver("dead_letters", message)


def rebuild_every_projection(scene: Scene) -> None:
    """Of a run's log with what else orders have; and of a log with one stream of each kind, which is read again."""
    cancelled = CancellationRequested(order_id="demo.o1")
    rejected = OrderRejected(order_id="demo.o1", content_hash="h", reasons=(), reason_count=0)
    generated = [
        *run(8, seed=2),
        record(cancelled, streams.cancellation("demo.o1"), 1),
        record(rejected, streams.rejection("demo.o1", "h"), 1),
    ]
    for name, projection in PROJECTIONS.items():
        with rebuilding(scene, generated) as rebuild:
            projection.apply("1", generated)
            rebuild(name)
    for kind in streams.CONTEXTS:
        with rebuilding(scene, [record(LOW, f"{kind}#1", 1)]) as rebuild:
            rebuild("stock_view")


@contextmanager
def rebuilding(scene: Scene, log: Sequence[Recorded]) -> Iterator[Callable[[str], object]]:
    """Rebuilds a projection on a table in memory that has this log; EventBridge says that a replay is done."""
    invoke = scene.world.functions.invoke

    def answered(call: Call) -> Answer | None:
        return Answer({"State": "COMPLETED"}) if call.service == "events" else memory.before(call)

    with projecting(log, page=5) as memory, WIRE.tapped(Uses(scene.needs, answered)):
        yield lambda name: Machine(partial(invoke, "rebuild")).run({"projection": name})


def ask_about_orders_and_stock(scene: Scene) -> None:
    """About an order that was rejected, corrected and confirmed, and about its stock, each with its view."""
    world = scene.world
    world.begin({})
    rejected_before(after(*FORWARD), unit_price=-1)(world)
    events = [domain_event(item) for item in log(world)]
    for function in ("order_view", "counting_projections"):
        world.deliver(function, sqs(*events))
    for path in (f"/orders/{ORDER}", f"/orders/{ORDER}/events", "/orders", "/stock/apple"):
        api.content_of(api.ask(path, OPERATOR))
    api.content_of(api.ask("/orders", OPERATOR, customer_id="demo.c1"))
    api.ask(f"/orders/{UNKNOWN}/cancellation", OPERATOR)


def erase_a_customer(scene: Scene) -> None:
    """With a dead-letter message; then the order by its id, and all that is in the ledger once more."""
    for bucket in (DEAD_LETTER_BUCKET, ERASURE_LEDGER):
        scene.emulator.client("s3").create_bucket(Bucket=bucket)
    loaded = scene.world.functions
    scene.world.begin({})
    place(loaded, "demo.o1")
    confirm(event_store("saga"), "demo.o1")
    dead_letter(message(submitted("o1")))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loaded, "remaining_ms", lambda: 300_000)
        for whom in ({"customer_id": "demo.c1"}, {"order_id": "demo.o1"}, {"from_ledger": True}):
            assert erase(loaded, **whom)["done"]


def sweep_two_orders(scene: Scene) -> None:
    """One that was placed, and one that is confirmed and has a request to cancel it: half an hour later, twice."""
    world, before = scene.world, scene.world.now
    world.begin({})
    after(*FORWARD)(world)
    world.deliver("order_intake", sqs(integration_event("OrderCancellationRequested", {"order_id": own_id(ORDER)})))
    world.placed("demo.still")
    for order_id in (ORDER, "demo.still"):
        events = [domain_event(item) for item in log(world) if item["PK"]["S"].endswith(f"#{order_id}")]
        world.deliver("order_view", sqs(*events))
    answers: dict[str, Any] = {
        "ListEventSourceMappings": {"EventSourceMappings": []},
        "StartExecution": {"executionArn": "arn", "startDate": before},
    }

    def answered(call: Call) -> Answer | None:
        return Answer(answers[call.operation]) if call.operation in answers else None

    with WIRE.tapped(Uses(scene.needs, answered)), pytest.MonkeyPatch.context() as patched:
        patched.setattr("handlers.operations.sweep.candidates.MOST_READ", 1)  # so that a run ends on its way
        world.now += timedelta(minutes=30)
        for _ in range(3):
            scene.world.functions.invoke("sweep", {})
    world.now = before


ELSEWHERE: Mapping[str, Scenario] = {
    "sweep": sweep_two_orders,
    "erasure": erase_a_customer,
    "file_import": import_a_file,
    "dead_letters": store_a_message_that_failed_again,
    "rebuild": rebuild_every_projection,
    "api_query": ask_about_orders_and_stock,
}
"""Functions that no case of tests/crash is about."""
