"""What the two processes of a load share: a folder with the request, and what the sender wrote down."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from tests.load.shape import Capacity

CUT_OFF = "the sender was stopped before it was answered"
"""The answer to an order that Locust was sending when it ended a user. It may have come in, or not."""

_REQUEST, _SENT, _TICKS, _CAPACITY = "request.json", "orders.csv", "ticks.csv", "capacity.json"


@dataclass(frozen=True)
class Request:
    """What the sender is asked to do: where (an environment on AWS by name, or one here by endpoint), and how long.

    ``run`` distinguishes the orders of this load; ``parent`` is the process that watches over it.
    """

    environment: str | None
    endpoint: str | None
    run: str
    soak_seconds: float
    parent: int

    def write(self, folder: Path) -> None:
        """Hand it over."""
        (folder / _REQUEST).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Request:
        """Take it."""
        return cls(**json.loads((folder / _REQUEST).read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Sent:
    """An order that was sent: by which door in which stage, when (Unix time), and after how many ms it was answered.

    ``answer`` is empty for one that was accepted, else what it was answered with.
    """

    number: int
    door: str
    stage: str
    at: float
    ms: float
    answer: str

    @property
    def accepted(self) -> bool:
        """Whether the door took it."""
        return not self.answer


@dataclass(frozen=True)
class Tick:
    """A second of the load: when (Unix time), in which stage, at which rate, and how many orders had come to what."""

    at: float
    stage: str
    rate: float
    accepted: int
    ended: int

    @property
    def backlog(self) -> int:
        """The orders that were under way."""
        return self.accepted - self.ended


class Writer:
    """Writes down what happens as it does, so that it is there whatever happens next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sent, self._ticks = _begun(folder / _SENT, Sent), _begun(folder / _TICKS, Tick)

    def sent(self, sent: Sent) -> None:
        """An order was sent."""
        _write(self._sent, list(asdict(sent).values()))

    def tick(self, tick: Tick) -> None:
        """A second went by."""
        _write(self._ticks, list(asdict(tick).values()))

    def capacity(self, capacity: Capacity) -> None:
        """The capacity was found."""
        (self._folder / _CAPACITY).write_text(json.dumps(asdict(capacity)), encoding="utf-8")


def read_sent(folder: Path) -> list[Sent]:
    """The orders sent so far."""
    return [
        Sent(int(row["number"]), row["door"], row["stage"], float(row["at"]), float(row["ms"]), row["answer"])
        for row in _rows(folder / _SENT)
    ]


def read_ticks(folder: Path) -> list[Tick]:
    """The seconds so far."""
    return [
        Tick(float(row["at"]), row["stage"], float(row["rate"]), int(row["accepted"]), int(row["ended"]))
        for row in _rows(folder / _TICKS)
    ]


def read_capacity(folder: Path) -> Capacity | None:
    """The capacity, if it was found."""
    file = folder / _CAPACITY
    return Capacity(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def _begun(file: Path, kind: type[Sent | Tick]) -> IO[str]:
    begun = file.open("w", encoding="utf-8", newline="")
    _write(begun, list(kind.__dataclass_fields__))
    return begun


def _write(file: IO[str], row: Sequence[object]) -> None:
    csv.writer(file).writerow(row)
    file.flush()


def _rows(file: Path) -> Iterator[dict[str, str]]:
    """The rows that are complete: the last one may be being written."""
    if not file.exists():
        return
    text = file.read_text(encoding="utf-8")
    yield from csv.DictReader(text[: text.rfind("\n") + 1].splitlines(keepends=True))
