"""Locust's users: shops that post orders to the HTTP API, and publishers that put them on the intake bus.

Run by Locust, in a process of its own: importing locust lets gevent patch the standard library. The folder of
`records` is named by the environment variable ``LOAD_FOLDER``.
"""

from __future__ import annotations

import os
import time
from itertools import count
from pathlib import Path

from locust import FastHttpUser, LoadTestShape, User, task

from events.publishing.publisher import Entry, Publisher
from infra.local.runner.stock_deliveries import ORDER_SUBMITTED
from tests.load.ended import EndedOrders
from tests.load.orders import LoadOrders
from tests.load.records import CUT_OFF, Request, Sent, Tick, Writer
from tests.load.shape import Course, Sample, plan
from tests.load.target import email_of, environment_of

PACE_SECONDS = 4.0
"""How long after an order a user sends the next one. So the rate does not depend on how fast answers come."""

_AT_ONCE = 100.0
"""How many users start or stop in a second."""

_GOLDEN = (5**0.5 - 1) / 2
_STARTED = count()
_TOKEN_SECONDS = 1_800.0
_FOLDER = Path(os.environ["LOAD_FOLDER"])
_REQUEST = Request.read(_FOLDER)
_ENVIRONMENT = environment_of(_REQUEST)
_ORDERS = LoadOrders(_REQUEST.run, _ENVIRONMENT.shop, email_of(_ENVIRONMENT))
_WRITER = Writer(_FOLDER)


class _Sender:
    """What users share: the numbers of orders, how many were accepted, the stage, and a token."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.accepted = 0
        self.stage = ""
        self._token, self._token_until = "", 0.0

    def begin(self, door: str) -> tuple[int, Sent]:
        """The next order, not answered yet."""
        number = next(self._numbers)
        return number, Sent(number, door, self.stage, time.time(), 0.0, CUT_OFF)

    def end(self, begun: Sent, answer: str) -> Sent:
        """It was answered."""
        ms = (time.time() - begun.at) * 1000
        sent = Sent(begun.number, begun.door, begun.stage, begun.at, round(ms, 1), answer)
        self.accepted += sent.accepted
        return sent

    def token(self) -> str:
        """A token of the shop that is good for a while."""
        if time.monotonic() > self._token_until:
            self._token_until = time.monotonic() + _TOKEN_SECONDS
            self._token = _ENVIRONMENT.caller("Shop").token
        return self._token


_SENDER = _Sender()


class _Paced(User):
    """Sends an order every few seconds, and begins at a moment of its own: users start together."""

    abstract = True
    due = 0.0

    def on_start(self) -> None:
        """Wait for a moment that lies evenly between those of other users."""
        share = next(_STARTED) * _GOLDEN % 1
        self.due = time.monotonic() + share * PACE_SECONDS
        time.sleep(share * PACE_SECONDS)

    def wait_time(self) -> float:
        """Until the next order is due, from when the last one was, however long its answer took."""
        self.due = max(self.due + PACE_SECONDS, time.monotonic())
        return max(0.0, self.due - time.monotonic())


class HttpShop(_Paced, FastHttpUser):
    """A shop that posts orders to the HTTP API."""

    host = _ENVIRONMENT.api_url

    @task
    def order(self) -> None:
        """Post an order; 202 accepts it."""
        number, sent = _SENDER.begin("HTTP")
        detail = dict(_ORDERS.submission(number).detail)
        headers = {"Idempotency-Key": detail.pop("order_id"), "Authorization": f"Bearer {_SENDER.token()}"}
        try:
            with self.client.post("/orders", json=detail, headers=headers, catch_response=True) as response:
                if response.status_code == 202:
                    sent = _SENDER.end(sent, "")
                    response.success()
                else:
                    sent = _SENDER.end(sent, f"{response.status_code}: {response.text or response.error}"[:300])
                    response.failure(sent.answer)
        finally:
            _WRITER.sent(sent)


class BusPublisher(_Paced):
    """A publisher that puts orders on the intake bus, one at a time."""

    publisher = Publisher(
        _ENVIRONMENT.client("events"), _ENVIRONMENT.outputs["IntakeBusName"], _ENVIRONMENT.shop_source
    )

    @task
    def order(self) -> None:
        """Put an order on the bus, and tell Locust how long that took."""
        number, sent = _SENDER.begin("PutEvents")
        entry = Entry.untyped(ORDER_SUBMITTED, _ORDERS.submission(number).detail)
        try:
            [outcome] = self.publisher.outcomes([entry])
            sent = _SENDER.end(sent, "" if outcome.sent else str(outcome)[:300])
        finally:
            _WRITER.sent(sent)
        self.environment.events.request.fire(
            request_type=sent.door,
            name=ORDER_SUBMITTED,
            response_time=sent.ms,
            response_length=0,
            exception=None if sent.accepted else RuntimeError(sent.answer),
            context={},
        )


class Shape(LoadTestShape):
    """Asks how far the pipeline is, and sends at the rate that follows, half by either door."""

    ended = EndedOrders(_ENVIRONMENT, _ORDERS.customer_ids)
    course = Course(plan(_REQUEST.soak_seconds))

    def tick(self) -> tuple[int, float] | None:
        """How many users there are to be; None ends the load, as when nobody watches over it any more."""
        if os.getppid() != _REQUEST.parent:
            return None
        course, known = self.course, self.course.capacity
        sample = Sample(time.perf_counter() - self.start_time, _SENDER.accepted, self.ended.count())
        goes_on = course.go_on(sample)
        if course.capacity and not known:
            _WRITER.capacity(course.capacity)
        _SENDER.stage = course.stage
        _WRITER.tick(Tick(time.time(), course.stage, course.rate, sample.accepted, sample.ended))
        return (max(2, round(course.rate * PACE_SECONDS)), _AT_ONCE) if goes_on else None
