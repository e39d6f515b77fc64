"""Generations of projections: which there are, and going back to the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import connection
from infra.cli.arguments import ProjectionName, projection
from infra.cli.connection import Connection
from infra.cli.errors import Failure
from infra.cli.output import out, show, tell
from infra.names import TABLE_NAME

if TYPE_CHECKING:
    from handlers.projections.engine.generations import GenerationStore


def generations(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The projection.", show_default="all")] = None,
) -> None:
    """Show which generations projections have, and what each is there for."""
    from handlers.projections.registry import PROJECTIONS  # noqa: PLC0415 - see the package

    if name is not None:
        projection(name)
    kept = _store(connection.of(context))
    rows = [
        (each, generation, state.value)
        for each in ([name] if name else sorted(PROJECTIONS))
        for generation, state in kept.read(each).states.items()
    ]
    show(out(), ("projection", "generation", "state"), rows)


def rollback(context: typer.Context, name: ProjectionName) -> None:
    """Let readers of a projection go back to the generation before, while that is still there."""
    from handlers.projections.engine.generations import NothingToRollBackTo  # noqa: PLC0415 - see the package

    projection(name)
    kept = _store(connection.of(context))
    seen = kept.read(name).live
    try:
        changed = kept.change(name, lambda known: known.rolled_back(seen=seen))
    except NothingToRollBackTo as nothing:
        raise Failure(f"{name}: {nothing}") from nothing
    tell(out(), f"readers see generation {changed.live} of {name} again; the same command takes that back")


def _store(pipeline: Connection) -> GenerationStore:
    from handlers.projections.engine.generations import GenerationStore  # noqa: PLC0415 - see the package

    return GenerationStore(pipeline.store.client, TABLE_NAME)
