"""What a service allows a second, as a bucket that is filled again all the time. Pure."""

from __future__ import annotations

from math import inf


class Bucket:
    """A bucket of ``burst`` units, into which ``per_second`` come. Whoever finds it empty waits, first come first
    served.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst_seconds = burst / per_second
        self._empty_until = -inf

    def wait(self, now: float, units: float, patience: float = inf) -> float | None:
        """Take units; returns for how many seconds to wait for them. None, and none are taken, where that is longer
        than ``patience``.
        """
        until = max(self._empty_until, now - self._burst_seconds) + units / self._per_second
        if until - now > patience:
            return None
        self._empty_until = until
        return max(0.0, until - now)
