"""The retry policy: which errors of AWS mean "try again", how many attempts are made here, and how long the waits are.

There are three layers. An AWS client tries again by itself, by :data:`CLIENT_RETRIES`. Then functions try again, as
this module says. What still fails is raised as a :class:`Retryable` error, and whoever called the function delivers
the message again or retries the task: how often is said in `infra/constructs/` for queues and streams, and in
`statemachines/`. Publishers import nothing of this; their own policy is in `events/publishing/publisher.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeVar

from botocore import exceptions as boto

if TYPE_CHECKING:
    from botocore.config import _RetryDict

CLIENT_RETRIES: _RetryDict = {"mode": "standard", "total_max_attempts": 3}
"""What an AWS client tries by itself, with a backoff of its own.
Source: AWS SDKs and Tools Reference Guide, "Retry behavior"."""

MAX_ATTEMPTS = 7
"""How often a batch of which AWS takes only a part is sent at most, or an e-mail that is throttled, and how often a
view that differs is read."""

MAX_CONFLICTS = 10
"""How often a conditional write is attempted at most, each time with what is there by then."""

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0
PATIENCE_SECONDS = 4.0
"""How long a call of a function waits for others in all: most functions have ten seconds."""

_THROTTLED = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_CONTENDED = frozenset(
    {
        "ConditionalRequestConflict",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Codes of errors, and of the reasons for which DynamoDB cancels a transaction.
Source: DynamoDB Developer Guide, "Error handling with DynamoDB"; API reference of TransactWriteItems, the "Common
Errors" of DynamoDB, SQS and EventBridge, the "Error responses" of S3, and the errors of SES's SendEmail."""

Answer = TypeVar("Answer")
Items = TypeVar("Items", list[Any], dict[str, Any])


class Retryable(Exception):
    """Nothing is wrong with the request: try it again later. The state machines retry its subclasses by name."""


class Throttled(Retryable):
    """AWS throttles, or has a failure of its own."""


class Contended(Retryable):
    """Others write the same items, and were faster each time."""


class Unreachable(Retryable):
    """No connection to AWS, or no answer: whether AWS did what was asked is unknown."""


class NotTaken(Retryable):
    """AWS took only a part of a batch in all attempts; ``left`` is the rest."""

    def __init__(self, left: Iterable[Any]) -> None:
        self.left = list(left)
        super().__init__(f"{len(self.left)} items were not taken in {MAX_ATTEMPTS} attempts")


def meaning(codes: Iterable[str]) -> type[Retryable] | None:
    """What codes of errors, or of the reasons of a cancelled transaction, mean: which error, or None for a refusal."""
    seen = set(codes)
    if seen & _THROTTLED:
        return Throttled
    return Contended if seen & _CONTENDED else None


@contextmanager
def classified() -> Iterator[None]:
    """Around a call of AWS: what botocore raises becomes one of the errors below where the call may succeed later.

    Raises:
        Throttled, Contended, Unreachable: try again.
        ClientError: AWS refuses the request.
    """
    try:
        yield
    except boto.ClientError as failure:
        error = meaning([failure.response["Error"]["Code"]])
        if error is None:
            raise
        raise error(str(failure)) from failure
    except (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError) as failure:
        raise Unreachable(str(failure)) from failure


_JITTER = SystemRandom()
"""From the operating system: instances that start from one snapshot of a function would all draw alike otherwise."""


def wait(failed: int) -> None:
    """Wait after so many failed attempts, from 1: twice as long each time, up to a limit, with jitter."""
    seconds = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (failed - 1))
    time.sleep(seconds * _JITTER.uniform(0.5, 1.5))


def until_admitted(call: Callable[[], Answer]) -> Answer:
    """Call, and again while it is throttled; returns its answer.

    Raises:
        Throttled: it was, in all of `MAX_ATTEMPTS`.
    """
    for failed in range(1, MAX_ATTEMPTS):
        try:
            return call()
        except Throttled:
            wait(failed)
    return call()


def until_taken(call: Callable[[Items], Items], items: Items) -> None:
    """Call with `items`, and again with those that `call` returns as not taken, or with all where it is throttled.

    Raises:
        NotTaken: some are left after `MAX_ATTEMPTS`.
        Unreachable: no connection, or no answer. That is not attempted again here: it took the client long enough.
    """
    throttled: Throttled | None = None
    for attempt in range(MAX_ATTEMPTS):
        if not items:
            return
        if attempt:
            wait(attempt)
        try:
            with classified():
                items = call(items)
        except Throttled as failure:
            throttled = failure
    if items:
        raise NotTaken(items) from throttled
