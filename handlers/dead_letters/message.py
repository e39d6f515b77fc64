"""A dead-letter message as it is stored: what it holds, why it failed, under which key, and its earlier failures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, Field

from events.model import Id, Model

OPEN, REDRIVEN = "open/", "redriven/"
"""What the keys of dead-letter messages begin with, and of those that were redriven since."""


class Failure(Model):
    """What a message failed with, and after how many attempts.

    ``sent_at`` is when it was sent to the dead-letter queue, or to its own where SQS moved it from there;
    ``redriven_at`` when it was sent back, if it was.
    """

    error: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
    reasons: str
    attempts: Annotated[int, Field(ge=1)]
    sent_at: AwareDatetime
    redriven_at: AwareDatetime | None = None


class DeadLetterMessage(Failure):
    """A message that no retry could handle, as it was delivered, with its failures. It holds customer data.

    ``message_id`` is the id the message had first, ``source`` the key of the function or saga start it was meant for,
    and ``attributes`` are those of the message that are not ours.
    """

    message_id: Id
    source: Id
    body: str
    attributes: Mapping[str, str]
    earlier_failures: tuple[Failure, ...] = ()

    @property
    def failure_number(self) -> int:
        """Which of its failures this is, from 1."""
        return len(self.earlier_failures) + 1

    @property
    def key(self) -> str:
        """Where it is stored until it is redriven. It follows from the message, so storing it again is idempotent."""
        place = DeadLetterKey(self.sent_at.date(), self.source, self.error, self.message_id, self.failure_number)
        return place.text

    @property
    def failures(self) -> tuple[Failure, ...]:
        """All its failures, this one last."""
        return (*self.earlier_failures, Failure(**{name: getattr(self, name) for name in Failure.model_fields}))


class DeadLetterKey(NamedTuple):
    """What the key of a dead-letter message says: the day (UTC) it was sent, source, error, id, and which failure."""

    day: date
    source: str
    error: str
    message_id: str
    failure_number: int

    @property
    def text(self) -> str:
        """The key while the message is open."""
        return f"{OPEN}{self.day:%Y/%m/%d}/{self.source}/{self.error}/{self.message_id}.{self.failure_number}.json"

    @classmethod
    def parse(cls, text: str) -> DeadLetterKey:
        """What a key says, of a message open or redriven. Raises ValueError where it is no key of such a message."""
        _, year, month, day, source, error, name = text.split("/")
        message_id, number, _ = name.split(".")
        return cls(date(int(year), int(month), int(day)), source, error, message_id, int(number))


def redriven(key: str) -> str:
    """The key of an open message once it is redriven."""
    return REDRIVEN + key.removeprefix(OPEN)
