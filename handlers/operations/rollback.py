"""Rollback: let readers of a projection return to the generation that was live before."""

from __future__ import annotations

from handlers.operations.errors import OperationFailed
from handlers.projections.engine.generations import Generations, GenerationStore, NothingToRollBackTo


def rollback(generations: GenerationStore, projection: str) -> Generations:
    """Make the previous generation of a projection live again; returns what generations there are now.

    Doing so again makes the other one live again.

    Raises:
        OperationFailed: there is no previous generation, or no longer.
    """
    seen = generations.read(projection).live
    try:
        return generations.change(projection, lambda known: known.rolled_back(seen=seen))
    except NothingToRollBackTo as nothing:
        raise OperationFailed(f"{projection}: {nothing}") from nothing
