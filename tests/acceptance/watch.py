"""Waiting for something to become true, until a deadline, or until somebody interrupts."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

Found = TypeVar("Found")

_ACT_EVERY_SECONDS = 60.0


class TooLate(Exception):
    """It did not become true before the deadline; the message says what was waited for."""


class Interrupted(Exception):
    """Somebody asked the program to end: restore what was changed, and return."""


class Watch:
    """The time that a check has.

    Args:
        seconds: how long it has, from now on.
        interrupted: is set when the program is to end.
        poll_seconds: how long to wait before looking again.
    """

    def __init__(self, seconds: float, interrupted: Event, *, poll_seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._interrupted = interrupted
        self._poll_seconds = poll_seconds

    def until(self, look: Callable[[], Found | None], what: str) -> Found:
        """What ``look`` finds, as soon as it finds something that is true.

        Raises:
            TooLate: the time is over; the message says ``what`` was waited for.
            Interrupted: the program is to end.
        """
        while not (found := look()):
            self.pause(self._poll_seconds, what)
        return found

    def trying(self, act: Callable[[], object], look: Callable[[], Found | None], what: str) -> Found:
        """The same as `until`, acting now and every minute: a change of settings takes a while until it holds."""
        act_at = time.monotonic()

        def attempt() -> Found | None:
            nonlocal act_at
            if time.monotonic() >= act_at:
                act()
                act_at = time.monotonic() + _ACT_EVERY_SECONDS
            return look()

        return self.until(attempt, what)

    def pause(self, seconds: float, what: str) -> None:
        """Wait for so long; raises as `until` does."""
        left = self._deadline - time.monotonic()
        if self._interrupted.wait(min(seconds, max(0.0, left))):
            raise Interrupted
        if left <= seconds:
            raise TooLate(f"{what}: not within {self._seconds / 60:g} minutes")
