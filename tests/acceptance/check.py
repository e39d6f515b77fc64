"""A check: what it proves, how, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.acceptance.environment import Environment
from tests.acceptance.watch import Watch

Evidence = Mapping[str, str | float]
"""What a check saw, in words or figures, each under a name that says what it is."""


class Wrong(Exception):
    """What a check saw is not as it should be; the message says what it saw."""


class NotSet(Exception):
    """The settings of the environment leave out what a check is about; the message says which."""


@dataclass(frozen=True)
class Check:
    """One thing that an account proves.

    ``prove`` returns its evidence, and raises Wrong or whatever else where there is none; what it changed is as before
    then, too. It has ``minutes`` for it. ``not_here`` says why a pipeline on one machine cannot prove it, if so.
    """

    name: str
    proves: str
    prove: Callable[[Environment, Watch], Evidence]
    minutes: float
    not_here: str | None = None


class Verdict(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_HERE = "not provable here"
    NOT_SET = "not set in this environment"


@dataclass(frozen=True)
class Result:
    """What came of a check: its evidence if it passed, else the reason; and how many seconds it took."""

    name: str
    proves: str
    verdict: Verdict
    seconds: float
    evidence: Evidence
    reason: str | None = None

    @property
    def said(self) -> str:
        """Evidence or reason, in a line."""
        text = self.reason or "; ".join(f"{name}: {value}" for name, value in self.evidence.items())
        return " ".join(text.split())
