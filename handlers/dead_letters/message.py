"""A dead letter as it is kept: what it was, why it is dead, where in the bucket it lies, and its former stays there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, Field

from events.model import Id, Model

OPEN, REDRIVEN = "open/", "redriven/"
"""What the keys of letters begin with, and of those that were redriven since."""


class Stay(Model):
    """A stay among the dead letters: what the message failed with, after how many tries, and from when to when.

    ``sent_at`` is when it was sent to the dead-letter queue, or to its own where SQS moved it from there.
    """

    error: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
    reasons: str
    tries: Annotated[int, Field(ge=1)]
    sent_at: AwareDatetime
    redriven_at: AwareDatetime | None = None


class Letter(Stay):
    """A message that no retry could handle, as it came, and its former stays. It holds customer data.

    ``letter_id`` is the id the message had first, ``source`` the key of the function or saga start it was meant for,
    and ``attributes`` are those of the message that are not ours.
    """

    letter_id: Id
    source: Id
    body: str
    attributes: Mapping[str, str]
    history: tuple[Stay, ...] = ()

    @property
    def number(self) -> int:
        """Which stay this is, from 1."""
        return len(self.history) + 1

    @property
    def key(self) -> str:
        """Where it lies until it is redriven. It follows from the message, whenever and however often that is told."""
        return Place(self.sent_at.date(), self.source, self.error, self.letter_id, self.number).key

    @property
    def stays(self) -> tuple[Stay, ...]:
        """All its stays, this one last."""
        return (*self.history, Stay(**{name: getattr(self, name) for name in Stay.model_fields}))


class Place(NamedTuple):
    """What the key of a letter says: the day (UTC) it was sent, source, error, id, and which stay it is."""

    day: date
    source: str
    error: str
    letter_id: str
    number: int

    @property
    def key(self) -> str:
        """The key of the open letter."""
        return f"{OPEN}{self.day:%Y/%m/%d}/{self.source}/{self.error}/{self.letter_id}.{self.number}.json"

    @classmethod
    def of(cls, key: str) -> Place:
        """What a key says, of a letter open or redriven. Raises ValueError where it is no letter's."""
        _, year, month, day, source, error, name = key.split("/")
        letter_id, number, _ = name.split(".")
        return cls(date(int(year), int(month), int(day)), source, error, letter_id, int(number))


def redriven(key: str) -> str:
    """Where an open letter lies once it is redriven."""
    return REDRIVEN + key.removeprefix(OPEN)
