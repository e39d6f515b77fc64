"""Which generations projections have, for readers: known for a few seconds, so that not every question asks for it."""

from __future__ import annotations

import time
from typing import NamedTuple

from handlers.projections.engine.generations import Generations, GenerationStore

KNOWN_FOR_SECONDS = 5.0
"""How long a reader goes by what it knows: a generation that was live is updated for longer."""


class _Known(NamedTuple):
    generations: Generations
    until: float


class KnownGenerations:
    """The generations of projections as they are, or were a few seconds ago.

    Args:
        store: where they are kept.
    """

    def __init__(self, store: GenerationStore) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}

    def live(self, projection: str) -> str:
        """The generation of a projection that readers see.

        Raises:
            Retryable: try again.
        """
        return self._generations(projection).live

    def keeps(self, projection: str, generation: str) -> bool:
        """Whether a generation is there to be read, as far as is known; before it says no, it asks.

        Raises:
            Retryable: try again.
        """
        if generation not in self._generations(projection).updated:
            del self._known[projection]
        return generation in self._generations(projection).updated

    def _generations(self, projection: str) -> Generations:
        known = self._known.get(projection)
        if known is None or time.monotonic() >= known.until:
            known = _Known(self._store.read(projection), time.monotonic() + KNOWN_FOR_SECONDS)
            self._known[projection] = known
        return known.generations
