"""Generations of a projection: full builds of it, of which one is live and others are being built or retiring.

One item of the table says which there are. It is changed by conditional writes, so that all readers go from one
generation to the next at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from handlers.retry_policy import MAX_CONFLICTS, Contended, classified
from handlers.table import keys
from handlers.table.codec import decode, encode

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class State(StrEnum):
    """What a generation is for."""

    BUILDING = "building"
    LIVE = "live"
    RETIRING = "retiring"
    DROPPING = "dropping"


class NotBuilding(Exception):
    """A generation cannot take the place of the live one: it is not being built."""


class NothingToRollBackTo(Exception):
    """No generation that was live before is left."""


@dataclass(frozen=True)
class Generations:
    """The generations of one projection: what each is for, by its number, and the highest number ever given.

    ``previous`` was live before the live one. Without an item in the table, generation 1 is live.
    """

    states: Mapping[str, State] = field(default_factory=lambda: {"1": State.LIVE})
    last: int = 1
    previous: str | None = None
    revision: int = 0

    @property
    def live(self) -> str:
        """The generation that readers see."""
        [live] = self._all(State.LIVE)
        return live

    @property
    def building(self) -> str | None:
        """The generation that is being built, if one is."""
        return next(iter(self._all(State.BUILDING)), None)

    @property
    def updated(self) -> list[str]:
        """The generations that every event is applied to."""
        return self._all(State.BUILDING, State.LIVE, State.RETIRING)

    @property
    def dropping(self) -> list[str]:
        """The generations whose items are being deleted."""
        return self._all(State.DROPPING)

    def opened(self, *, restart: bool) -> Generations:
        """With a generation that is being built: the one that was begun, or, to restart, a new one in its place."""
        if self.building and not restart:
            return self
        states = {each: State.DROPPING if state is State.BUILDING else state for each, state in self.states.items()}
        number = self.last + 1
        return replace(self, states={**states, str(number): State.BUILDING}, last=number)

    def switched(self, generation: str) -> Generations:
        """With the generation that was being built as the live one, and the one before as retiring.

        Raises:
            NotBuilding: it is not being built, or no longer.
        """
        state = self.states.get(generation)
        if state is State.LIVE:
            return self
        if state is not State.BUILDING:
            raise NotBuilding(f"generation {generation} is {state or 'not there'}")
        return self._with_live(generation)

    def rolled_back(self, *, seen: str) -> Generations:
        """With the generation that was live before as the live one, and the live one as retiring.

        ``seen`` is the generation that was live when somebody decided to go back: if another is live now, it was done.

        Raises:
            NothingToRollBackTo: none was live before, or that one is no longer kept.
        """
        if self.live != seen:
            return self
        if self.previous is None or self.states.get(self.previous) is not State.RETIRING:
            raise NothingToRollBackTo("no generation that was live before is left; rebuild it")
        return self._with_live(self.previous)

    def closed(self, generation: str) -> Generations:
        """With those no longer updated, so that they can be deleted, that retire because `generation` was built.

        They are the ones before it; or itself, where readers went back. What a later rebuild keeps is not among them.
        """
        retiring = [each for each in self._all(State.RETIRING) if int(each) < int(generation)]
        if self.states.get(generation) is State.RETIRING and int(self.live) < int(generation):
            retiring.append(generation)
        return replace(self, states={**self.states, **dict.fromkeys(retiring, State.DROPPING)})

    def without(self, generations: Collection[str]) -> Generations:
        """Without generations that were deleted."""
        return replace(self, states={each: state for each, state in self.states.items() if each not in generations})

    def _all(self, *wanted: State) -> list[str]:
        return [generation for generation, state in self.states.items() if state in wanted]

    def _with_live(self, generation: str) -> Generations:
        changed = {self.live: State.RETIRING, generation: State.LIVE}
        return replace(self, states={**self.states, **changed}, previous=self.live)


class GenerationStore:
    """Keeps which generations each projection has.

    Args:
        client: a low-level DynamoDB client.
        table: the table's name.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self, projection: str) -> Generations:
        """The generations of a projection, read consistently.

        Raises:
            Retryable: try again.
        """
        with classified():
            answer = self._client.get_item(
                TableName=self._table, Key=keys.generations(projection).attributes, ConsistentRead=True
            )
        return _generations(answer["Item"]) if "Item" in answer else Generations()

    def change(self, projection: str, change: Callable[[Generations], Generations]) -> Generations:
        """Change the generations of a projection, by one conditional write; on a conflict, read and change again.

        Raises:
            Retryable: try again; `Contended` after too many conflicts.
        """
        for _ in range(MAX_CONFLICTS):
            before = self.read(projection)
            after = change(before)
            if after == before or self._write(projection, after):
                return after
        raise Contended(f"the generations of {projection} are being changed by too many others")

    def _write(self, projection: str, changed: Generations) -> bool:
        try:
            with classified():
                self._client.put_item(
                    TableName=self._table,
                    Item=_item(projection, changed),
                    ConditionExpression="revision = :before" if changed.revision else "attribute_not_exists(PK)",
                    **_values(changed.revision),
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _values(revision: int) -> dict[str, Any]:
    return {"ExpressionAttributeValues": encode({":before": revision})} if revision else {}


def _item(projection: str, changed: Generations) -> dict[str, Any]:
    return {
        **keys.generations(projection).attributes,
        **encode(
            {
                "generations": {each: state.value for each, state in changed.states.items()},
                "last": changed.last,
                "revision": changed.revision + 1,
                **({"previous": changed.previous} if changed.previous else {}),
            }
        ),
    }


def _generations(item: Mapping[str, Any]) -> Generations:
    held = decode(item)
    states = {generation: State(state) for generation, state in held["generations"].items()}
    return Generations(states, held["last"], held.get("previous"), held["revision"])
