"""Validation of what outsiders send: one form for the same content, and what is wrong in words for people."""

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from events.ordering import RejectionReason

_LONGEST_FIELD = 128
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def canonical(detail: Any) -> str:
    """JSON that is the same for the same content: keys sorted, no white space, half a surrogate pair as ``?``."""
    text = json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="replace").decode()


class Refused(Exception):
    """What came in can never become an event, for these reasons: it is a dead letter."""

    def __init__(self, reasons: Sequence[RejectionReason]) -> None:
        super().__init__("; ".join(f"{reason.field}: {reason.message}" for reason in reasons))
        self.reasons = reasons


class NotYet(Refused):
    """What came in may become an event once other things have happened: it comes again, as long as it may."""


class NotAllowed(Refused):
    """The sender may not say this."""


SENDERS_FAULTS = frozenset(error.__name__ for error in (Refused, NotYet, NotAllowed))
"""The errors of dead-letter messages that their senders caused: nothing is wrong with the pipeline."""


def safe_name(chosen: str) -> str:
    """A name that a sender chose, such as that of an unknown field; ``?`` for any other text: it may be personal."""
    return chosen if _NAME.fullmatch(chosen) else "?"


def reasons(invalid: ValidationError) -> list[RejectionReason]:
    """What is wrong, field by field. Values are left out: they may be personal.

    Whoever raises with these lets the error itself go (``from None``): it has the names that senders chose.
    """
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    # pydantic counts valid items alone: it calls a list too short whose every item is wrong, each reported by itself.
    wrong_items = {error["loc"][:1] for error in errors if len(error["loc"]) > 1}
    return [
        RejectionReason(field=".".join(map(_step, error["loc"]))[:_LONGEST_FIELD], message=error["msg"])
        for error in errors
        if error["type"] != "too_short" or error["loc"] not in wrong_items
    ]


def _step(step: str | int) -> str:
    """A step of the path to a field: its name, or the place in a list."""
    return safe_name(step) if isinstance(step, str) else str(step)
