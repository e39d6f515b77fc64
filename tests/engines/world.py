"""All that functions leave behind: the table, what is on the bus, what is in dead-letter queues, who got e-mails."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from infra.functions import FUNCTIONS
from infra.local.emulator.process import ACCOUNT, REGION, Emulator
from tests.engines.in_process import (
    SENDER,
    Functions,
    Item,
    Items,
    Table,
    functions,
    integration_event,
    sqs,
    stable,
    submission,
)

NAME = "crash"
TRIES = 3
DELIVERIES = MAX_RECEIVE_COUNT + 1
"""How often a queue delivers a message here: once more, where its dead letter could not be sent the last time."""
_MESSAGE_ID = re.compile(r'\\*"message_id\\*":\\*"[^"]*"')
_FUNCTIONS = {function.key: function for function in FUNCTIONS}
_OWN_TROUBLE = frozenset({"Throttled", "Contended", "Unreachable"})
_TRIED_AGAIN = _OWN_TROUBLE | {"PaymentGatewayUnreachable", "CarrierUnreachable"}


@dataclass(frozen=True)
class Left:
    """What a message left behind. On the bus and in the queue, a thing said twice is said; e-mails are counted."""

    table: frozenset[str]
    bus: frozenset[str]
    dead_letters: frozenset[str]
    emails: Counter[str]


class World:
    """The functions and what they work on.

    Args:
        emulator: where it all is.
        loaded: the functions.
        table: their table.
        queues: the URLs of the queue that everything on the bus goes to, and of the dead-letter queue.
    """

    def __init__(self, emulator: Emulator, loaded: Functions, table: Table, queues: Mapping[str, str]) -> None:
        self.functions = loaded
        self.table = table
        self._emulator = emulator
        self._sqs = emulator.client("sqs")
        self._queues = queues
        self._sent = self._emails()
        self._there: Items | None = None

    def deliver(self, key: str, event: dict[str, Any]) -> str:
        """Deliver a message as its source would, again while it fails; returns what became of it in the end."""
        self._there = None
        tried = deliveries = 0
        while True:
            deliveries += 1
            for record in event.get("Records", []):
                record.setdefault("attributes", {})["ApproximateReceiveCount"] = str(deliveries)
            try:
                answer = self.functions.invoke(key, event)
            except Exception as refusal:
                name = type(refusal).__name__
                if name not in _TRIED_AGAIN and _FUNCTIONS[key].saga_placeholder:
                    return name
            else:
                if not _FUNCTIONS[key].queued or not answer["batchItemFailures"]:
                    return "done"
                failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
                event = {"Records": [record for record in event["Records"] if record["messageId"] in failed]}
                name = f"{len(failed)} messages failed"
            # Own trouble is retried on an account of its own.
            tried += name not in _OWN_TROUBLE
            if tried == (DELIVERIES if _FUNCTIONS[key].queued else TRIES):
                return name

    def begin(self, items: Items) -> None:
        """Start over with these items, and nothing anywhere else."""
        self.table.set(items, self._there)
        self._there = items

    def left(self, key: str) -> Left:
        """What a function left behind since the last look. Where it may send nothing, nobody looks."""
        function = _FUNCTIONS[key]
        events = [json.loads(message["Body"]) for message in self._drain("bus")] if function.publishes else []
        letters = self._drain("dead_letters") if function.dead_letters else []
        sent, self._sent = self._sent, self._emails() if function.sends_email else self._sent
        self._there = self.table.items()
        return Left(
            table=frozenset(_MESSAGE_ID.sub("", stable(item)) for item in self._there.values()),
            bus=frozenset(f"{event['detail']['metadata']['event_id']} {stable(event['detail'])}" for event in events),
            # What it failed with the last time may be what the test put in its way.
            dead_letters=frozenset(
                stable([letter["Body"], letter["MessageAttributes"]["message_id"]]) for letter in letters
            ),
            emails=self._sent - sent,
        )

    def forget(self) -> None:
        """What was left so far, whoever left it, counts as seen."""
        for name in self._queues:
            self._drain(name)
        self._sent = self._emails()

    def stocked(self, **quantities: int) -> None:
        """Let goods be delivered, by SKU."""
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
        self.deliver(
            "delivery_intake", sqs(integration_event("StockDelivered", {"delivery_id": "stock", "lines": lines}))
        )

    def placed(self, order_id: str, **order: Any) -> None:
        """Let an order be placed."""
        self.deliver("order_intake", sqs(integration_event("OrderSubmitted", submission(order_id, **order))))

    def event(self, stream: str, version: int) -> Item:
        """An event's item."""
        return self.table.items()[stream, f"event#{version:010d}"]

    def _drain(self, name: str) -> list[dict[str, Any]]:
        url = self._queues[name]
        messages: list[dict[str, Any]] = []
        while True:
            received = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            if not received.get("Messages"):
                return messages
            messages += received["Messages"]
            handles = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(received["Messages"])
            ]
            self._sqs.delete_message_batch(QueueUrl=url, Entries=handles)

    def _emails(self) -> Counter[str]:
        with urllib.request.urlopen(f"{self._emulator.endpoint}/_ministack/ses/messages?account={ACCOUNT}") as answer:
            told = json.load(answer)["messages"].get(ACCOUNT, [])
        return Counter(f"{message['To']} {message['Subject']}" for message in told)


@contextmanager
def world(emulator: Emulator) -> Iterator[World]:
    """A world of its own in the emulator, for the time of the block."""
    queues = {name: _queue(emulator, name) for name in ("bus", "dead_letters")}
    events = emulator.client("events")
    events.create_event_bus(Name=NAME)
    events.put_rule(Name=NAME, EventBusName=NAME, EventPattern=json.dumps({"account": [ACCOUNT]}))
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}-bus"
    events.put_targets(Rule=NAME, EventBusName=NAME, Targets=[{"Id": "all", "Arn": arn}])
    emulator.client("sesv2").create_email_identity(EmailIdentity=SENDER)
    table = Table(emulator.client("dynamodb"), NAME)
    environment = {"TABLE_NAME": NAME, "ORDERS_BUS_NAME": NAME, "DEAD_LETTER_QUEUE_URL": queues["dead_letters"]}
    with functions(emulator, environment) as loaded:
        yield World(emulator, loaded, table, queues)


def _queue(emulator: Emulator, name: str) -> str:
    url: str = emulator.client("sqs").create_queue(QueueName=f"{NAME}-{name}")["QueueUrl"]
    return url
