"""The rebuild's own state machine and steps, on a table in memory, and an archive that records what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handlers.projections.engine.generations import Generations, GenerationStore
from handlers.projections.rebuild.messages import STEP
from handlers.projections.rebuild.steps import Rebuild
from handlers.projections.registry import named
from infra.functions import FUNCTIONS
from tests.engines.in_process import WIRE
from tests.engines.memory_table import Memory
from tests.engines.projecting import STORE
from tests.engines.rebuild_machine import Machine
from tests.engines.roles import held

_HELD = held(next(function for function in FUNCTIONS if function.key == "rebuild"))

ARCHIVE = "arn:aws:events:us-east-1:123456789012:archive/orders"
BUS = "arn:aws:events:us-east-1:123456789012:event-bus/orders"


class Archive:
    """Stands for EventBridge: replays run until they were checked ``checks`` times, and are kept by name."""

    class exceptions:  # noqa: N801 - as botocore has it
        class ResourceAlreadyExistsException(Exception):
            """A replay of that name is there."""

    def __init__(self, memory: Memory, checks: int = 0) -> None:
        self.replays: dict[str, Mapping[str, Any]] = {}
        self._memory = memory
        self._checks = checks

    def start_replay(self, **request: Any) -> None:
        self._memory.on_call("StartReplay", request)
        if request["ReplayName"] in self.replays:
            raise self.exceptions.ResourceAlreadyExistsException
        self.replays[request["ReplayName"]] = request
        self._memory.done("StartReplay")

    def describe_replay(self, ReplayName: str) -> dict[str, str]:  # noqa: N803
        self._memory.on_call("DescribeReplay", {})
        assert ReplayName in self.replays
        self._checks -= 1
        self._memory.done("DescribeReplay")
        return {"State": "RUNNING" if self._checks >= 0 else "COMPLETED"}


class Rebuilder:
    """Rebuilds projections. ``remaining`` gives the seconds that a call has left."""

    def __init__(self, memory: Memory, *, checks: int = 0, remaining: Callable[[], float] = lambda: 300.0) -> None:
        self.archive = Archive(memory, checks)
        self.steps: list[str] = []
        self.between: Callable[[str], None] = lambda _step: None
        self._rebuild = Rebuild(STORE, self.archive, ARCHIVE, BUS)  # type: ignore[arg-type]
        self._remaining = remaining

    def run(self, projection: str, **wanted: Any) -> dict[str, Any]:
        """Run the state machine to its end; ``between`` is called with the name of each step before it is done."""
        return Machine(self.step).run({"projection": projection, **wanted})

    def step(self, payload: dict[str, Any]) -> Any:
        """Do one step."""
        message = STEP.validate_python(payload)
        self.steps.append(message.step)
        self.between(message.step)
        with WIRE.used_by("rebuild", _HELD):
            answer = self._rebuild.run(message, self._remaining)
        return answer and answer.model_dump(mode="json")


def generations(projection: str) -> Generations:
    """The generations of a projection."""
    return GenerationStore(STORE.client, STORE.table).read(projection)


def of_generation(memory: Memory, projection: str, generation: str) -> list[Any]:
    """What a generation holds, as it would be under any other number; keys of indexes are left out."""
    found = []
    for (partition, sort_key), item in memory.items.items():
        if named(projection).owns(generation, item):
            content = {name: value for name, value in item.items() if not name.startswith(("PK", "SK", "GSI"))}
            if partition.startswith("view#"):
                key = partition, sort_key.removeprefix(generation)
            else:
                key = partition.replace(f"#{generation}#", "#", 1), sort_key
            found.append((key, sorted(content.items())))
    return sorted(found)
