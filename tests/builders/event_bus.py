"""A bus that fails as it is told to, for those who put events on it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from events.publishing.entries import MAX_BYTES, MAX_ENTRIES

TAKEN: list[int] = []
"""A call in which no entry fails."""

Script = list[Any]
"""What becomes of each call: the places of the entries that fail, or an exception. After the last, all is taken."""


def throttled() -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "PutEvents")


@dataclass
class Bus:
    """A bus that does what its script says, and refuses what EventBridge would not even look at."""

    script: Script = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - as botocore has it
        assert 1 <= len(Entries) <= MAX_ENTRIES
        assert sum(map(size, Entries)) <= MAX_BYTES
        self.sizes.append(len(Entries))
        step = self.script.pop(0) if self.script else TAKEN
        if isinstance(step, Exception):
            raise step
        failed = {place for place in step if place < len(Entries)}
        self.taken += [entry for place, entry in enumerate(Entries) if place not in failed]
        return {
            "FailedEntryCount": len(failed),
            "Entries": [
                {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"} if place in failed else {"EventId": "1"}
                for place in range(len(Entries))
            ],
        }

    @property
    def places(self) -> list[tuple[str, int]]:
        """Stream and version of each domain event taken."""
        return [place_of(json.loads(entry["Detail"])["metadata"]) for entry in self.taken]


def place_of(named: Mapping[str, Any]) -> tuple[str, int]:
    return named["stream"], named["version"]


def size(entry: Mapping[str, Any]) -> int:
    """As the EventBridge user guide counts it: 14 bytes for the time, if there is one, and the rest in UTF-8."""
    return ("Time" in entry) * 14 + sum(len(entry[part].encode()) for part in ("Source", "DetailType", "Detail"))
