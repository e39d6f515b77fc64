"""All that functions leave behind: the table, the vault, events on the bus, dead-letter messages, e-mails.

How it works: the functions of this process are connected to the emulator, where a bus, a rule to a queue, a dead-letter
queue, the key of rejections and a sender of e-mails are set up. A message is delivered by calling its function, as
often as its queue or its caller would. Before and after, everything is read back and compared as sets; only e-mails and
tokens that nobody needs are counted.

Its limits: one message is under way at a time, there is no waiting between attempts, and visibility timeouts and the
retries of the state machine are imitated: see `World.deliver`.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from events.notification import CustomerNotified, EmailClaimed, EmailEvent, EmailRefused
from events.shops import own_id
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.functions.resources import event_store
from handlers.table.event_store import recorded
from handlers.vault import rejection_key
from handlers.vault.payment_tokens import LIFETIME
from infra.function_spec import PublishEvents, SendEmail, Tasks
from infra.functions import FUNCTIONS
from infra.local.emulator.process import ACCOUNT, REGION, Emulator
from tests.builders.environment import BUS, QUEUE, REJECTION_KEY, SENDER
from tests.builders.messages import integration_event, sqs
from tests.builders.orders import submitted_order
from tests.builders.vault import KEY_OF_REJECTIONS
from tests.engines.in_process import Functions, functions
from tests.engines.table import Item, Items, Key, Table, in_vault, table
from tests.engines.wire import stable

_WATCHER = "bus-watcher"
ATTEMPTS = 3
DELIVERIES = MAX_RECEIVE_COUNT + 1
"""How often a queue delivers a message here: once more, since sending it to the dead-letter queue may have failed."""
_CHANCE = re.compile(r'("content_key": \{"S": "|"token#|\\"content_hash\\":\\")[0-9a-f]{64}')
_MESSAGE_ID = re.compile(r'\\*"message_id\\*":\\*"[^"]*"')
_FUNCTIONS = {function.key: function for function in FUNCTIONS}
_OWN_TROUBLE = frozenset({"Throttled", "Contended", "Unreachable"})
_RETRIED = _OWN_TROUBLE | {"PaymentGatewayUnreachable", "CarrierUnreachable"}


@dataclass(frozen=True)
class Left:
    """What a message left behind. Duplicates on the bus and in the queue do not matter; e-mails are counted.

    ``items`` are those of the table and the vault, without the streams of e-mails, for an e-mail may take several
    attempts: ``notified`` has those that were completed, and ``take_overs`` is the number of claims that were taken
    over. ``nobodys_tokens`` is the number of payment tokens, all of which expire, that no order was placed with.
    """

    items: frozenset[str]
    nobodys_tokens: int
    notified: Counter[str]
    take_overs: int
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
        self.now = datetime.now(UTC)

    def deliver(self, key: str, event: dict[str, Any]) -> str:
        """Deliver a message as its source would, again while it fails; returns ``done``, or what it failed with.

        Each delivery is a visibility timeout after the one before, by the functions' clock.
        """
        self._there = None
        attempts = deliveries = 0
        while True:
            deliveries += 1
            self.now += timedelta(seconds=_FUNCTIONS[key].hidden_seconds)
            for record in event.get("Records", []):
                record.setdefault("attributes", {})["ApproximateReceiveCount"] = str(deliveries)
            try:
                answer = self.functions.invoke(key, event)
            except Exception as refusal:
                name = type(refusal).__name__
                if name not in _RETRIED and _FUNCTIONS[key].trigger == Tasks():
                    return name
            else:
                if not _FUNCTIONS[key].queued or not answer["batchItemFailures"]:
                    return "done"
                failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
                event = {"Records": [record for record in event["Records"] if record["messageId"] in failed]}
                name = f"{len(failed)} messages failed"
            # The state machines retry own trouble by a retrier of its own.
            attempts += name not in _OWN_TROUBLE
            if attempts == (DELIVERIES if _FUNCTIONS[key].queued else ATTEMPTS):
                return name

    def begin(self, items: Items) -> None:
        """Start over with these items, and nothing anywhere else."""
        self.table.set(items, self._there)
        self._there = items

    def left(self, key: str) -> Left:
        """What a function left behind since this was last called. A place it may not write to is not read."""
        function = _FUNCTIONS[key]
        events = (
            [json.loads(message["Body"]) for message in self._drain("bus")]
            if PublishEvents() in function.grants
            else []
        )
        messages = self._drain("dead_letters") if function.has_dead_letter_queue else []
        sent, self._sent = self._sent, self._emails() if SendEmail() in function.grants else self._sent
        self._there = self.table.items()
        emails, nobodys = _emails_in(self._there), _nobodys_tokens(self._there)
        return Left(
            items=frozenset(
                _without_chance(
                    _MESSAGE_ID.sub("", stable(item))
                    for key, item in self._there.items()
                    if key not in emails and key not in nobodys
                )
            ),
            nobodys_tokens=len(nobodys),
            notified=Counter(
                f"{stream} {event.about}"
                for (stream, _), event in emails.items()
                if isinstance(event, CustomerNotified)
            ),
            take_overs=_take_overs(emails),
            bus=frozenset(f"{event['detail']['metadata']['event_id']} {stable(event['detail'])}" for event in events),
            # The error of the last attempt may be the one that the test caused.
            dead_letters=frozenset(
                stable([message["Body"], message["MessageAttributes"]["message_id"]]) for message in messages
            ),
            emails=self._sent - sent,
        )

    def forget(self) -> None:
        """Ignore what was left so far, by whichever function."""
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
        self.deliver(
            "order_intake", sqs(integration_event("OrderSubmitted", submitted_order(own_id(order_id), **order)))
        )

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
            emails = json.load(answer)["messages"].get(ACCOUNT, [])
        return Counter(f"{message['To']} {message['Subject']}" for message in emails)


@contextmanager
def world(emulator: Emulator) -> Iterator[World]:
    """The functions on an empty table, with bus, queues and sender, all of them for the time of the block."""
    queues = {
        name: emulator.client("sqs").create_queue(QueueName=queue)["QueueUrl"]
        for name, queue in {"bus": _WATCHER, "dead_letters": QUEUE}.items()
    }
    events = emulator.client("events")
    events.create_event_bus(Name=BUS)
    events.put_rule(Name=_WATCHER, EventBusName=BUS, EventPattern=json.dumps({"account": [ACCOUNT]}))
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{_WATCHER}"
    events.put_targets(Rule=_WATCHER, EventBusName=BUS, Targets=[{"Id": "all", "Arn": arn}])
    emulator.client("sesv2").create_email_identity(EmailIdentity=SENDER)
    secrets = emulator.client("secretsmanager")
    secrets.create_secret(Name=REJECTION_KEY, SecretString=KEY_OF_REJECTIONS.decode())
    with table(emulator) as own, functions(emulator) as loaded:
        world = World(emulator, loaded, own, queues)
        with ExitStack() as patched:
            for store in (event_store(), event_store("saga"), event_store("subscriber")):
                patched.enter_context(patch.object(store, "clock", lambda: world.now))
            # As of a function that was started just now.
            patched.enter_context(patch.object(rejection_key, "KEPT_SECONDS", -1.0))
            yield world
    events.remove_targets(Rule=_WATCHER, EventBusName=BUS, Ids=["all"])
    events.delete_rule(Name=_WATCHER, EventBusName=BUS)
    events.delete_event_bus(Name=BUS)
    for url in queues.values():
        emulator.client("sqs").delete_queue(QueueUrl=url)
    emulator.client("sesv2").delete_email_identity(EmailIdentity=SENDER)
    secrets.delete_secret(SecretId=REJECTION_KEY, ForceDeleteWithoutRecovery=True)


def _without_chance(items: Iterable[str]) -> Iterator[str]:
    """Items without the content hashes of orders that were placed, and the keys of these."""
    return (_CHANCE.sub(r"\1", item) for item in items)


def _nobodys_tokens(items: Items) -> set[Key]:
    """The payment tokens that no order was placed with; they must expire."""
    tokens = {key for key in items if key[1].startswith("token#")}
    placed = (json.loads(item["data"]["S"]) for item in items.values() if item.get("type") == {"S": "OrderPlaced"})
    nobodys = tokens - {(in_vault(order["order_id"]), f"token#{order['content_hash']}") for order in placed}
    latest = (datetime.now(UTC) + LIFETIME).timestamp()
    assert all(int(items[key]["expires_at"]["N"]) <= latest for key in nobodys)
    return nobodys


def _emails_in(items: Items) -> dict[tuple[str, str], EmailEvent]:
    """The events of e-mails, by their keys."""
    events = {key: recorded(item).event for key, item in items.items() if "type" in item}
    return {key: event for key, event in events.items() if isinstance(event, EmailEvent)}


def _take_overs(emails: Mapping[tuple[str, str], EmailEvent]) -> int:
    """How many claims follow one that was not refused."""
    refused = {(key[0], event.about, event.attempt) for key, event in emails.items() if isinstance(event, EmailRefused)}
    return sum(
        event.attempt > 1 and (stream, event.about, event.attempt - 1) not in refused
        for (stream, _), event in emails.items()
        if isinstance(event, EmailClaimed)
    )
