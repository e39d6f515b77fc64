"""The quotas of AWS that bound the pipeline, and whether what there is of them is enough. Pure.

Each is of an account in a region. Codes are those of Service Quotas, by which a quota is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil


@dataclass(frozen=True)
class Quota:
    """A quota: its service and its code in Service Quotas, and what people call it."""

    service: str
    code: str
    name: str


CONCURRENT_EXECUTIONS = Quota("lambda", "L-B99A9384", "Lambda: concurrent executions, less what is reserved")
STATE_TRANSITIONS = Quota("states", "L-AD9B4E93", "Step Functions: state transitions a second")
EXECUTION_STARTS = Quota("states", "L-1B55A735", "Step Functions: starts of executions a second")
OPEN_EXECUTIONS = Quota("states", "L-B8A5B662", "Step Functions: open executions")
PUT_EVENTS = Quota("events", "L-9B653E91", "EventBridge: PutEvents a second")
INVOCATIONS = Quota("events", "L-5540C5E3", "EventBridge: invocations of targets a second")
SEND_RATE = Quota("ses", "L-CDEF9B6B", "SES: e-mails a second")
SEND_QUOTA = Quota("ses", "L-804C8AE8", "SES: e-mails in 24 hours")
TABLE_WRITES = Quota("dynamodb", "L-AB614373", "DynamoDB: write units of a table a second")
TABLE_READS = Quota("dynamodb", "L-CF0CBE56", "DynamoDB: read units of a table a second")
TABLES = Quota("dynamodb", "L-F98FE922", "DynamoDB: tables, less those there are")


@dataclass(frozen=True)
class Need:
    """How much of a quota the pipeline needs, and how that comes about."""

    quota: Quota
    amount: int
    why: str


@dataclass(frozen=True)
class Answer:
    """How much of a quota there is for the pipeline, besides what is ``taken``; None where it could not be asked.

    ``note`` says why not, or what to do first.
    """

    amount: float | None
    taken: float = 0
    note: str = ""


class Verdict(StrEnum):
    """What a need and an answer come to."""

    ENOUGH = "enough"
    TOO_LITTLE = "must be raised"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Finding:
    """A need, and what there is."""

    need: Need
    answer: Answer

    @property
    def verdict(self) -> Verdict:
        """Whether it is enough."""
        if self.answer.amount is None:
            return Verdict.UNKNOWN
        return Verdict.ENOUGH if self.answer.amount >= self.need.amount else Verdict.TOO_LITTLE

    @property
    def sufficient(self) -> int:
        """What the quota has to be for what is needed and what is taken."""
        return ceil(self.need.amount + self.answer.taken)


def findings(needs: Iterable[Need], answers: Mapping[Quota, Answer]) -> list[Finding]:
    """What each need comes to. Every quota that is needed has an answer."""
    return [Finding(need, answers[need.quota]) for need in needs]
