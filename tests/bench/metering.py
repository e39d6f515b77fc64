"""What AWS would bill for the calls of functions, by what the emulator wrote down of them.

The emulator's read units are constant, so they are worked out from what came back, as DynamoDB does it: consistent
reads take one unit per 4 KB begun.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handlers.table import keys
from infra.local.pipeline import Pipeline

_READ_UNIT_BYTES = 4 * 1024
_UNITS_IN_TRANSACTION = 2
"""Of an item of up to 1 KB that a transaction writes."""
_READS = {"Query", "GetItem"}


class Meter:
    """What functions have asked since the beginning, or since it was begun anew.

    Args:
        file: where the emulator writes it down.
        functions: the keys of functions, by the names that they have there.
        vault: the name of the vault's table.
    """

    def __init__(self, file: Path, functions: Mapping[str, str], vault: str) -> None:
        self._file = file
        self._functions = functions
        self._vault = vault
        self._began = 0

    def begin(self) -> None:
        """Begin anew."""
        self._began = self._file.stat().st_size

    def counts(self) -> tuple[Counter[str], dict[str, Counter[str]]]:
        """What was counted: in all, and by function. What is asked of the sandboxes' books is left out.

        In all: ``write_units``, ``write_units.<projection that counts>``, ``write_units.vault``, ``read_units``,
        ``put_events_entries``, ``sqs_sends``; and ``calls``. Of each function ``calls``, ``read_units``, and
        ``writes.<kind of key>`` in write units.
        """
        total: Counter[str] = Counter()
        functions: dict[str, Counter[str]] = {key: Counter() for key in self._functions.values()}
        with self._file.open("rb") as lines:
            lines.seek(self._began)
            for call in map(json.loads, lines):
                own = functions.get(self._functions.get(call["caller"].rpartition("/")[2], ""))
                if own is not None and not _is_sandbox(call):
                    counted = self._total(call)
                    total.update(counted)
                    own.update({name: counted[name] for name in ("calls", "read_units")})
                    own.update(self._writes(call))
        return total, functions

    def _total(self, call: dict[str, Any]) -> Counter[str]:
        if call["operation"] == "PutEvents":
            return Counter(calls=1, put_events_entries=call["entries"])
        if call["operation"] == "SendMessage":
            return Counter(calls=1, sqs_sends=1)
        if call["operation"] in _READS:
            return Counter(calls=1, read_units=max(1, math.ceil(call["read_bytes"] / _READ_UNIT_BYTES)))
        counts = Counter(calls=1)
        for table, units in _consumed(call):
            counts[f"write_units{'.vault' if table == self._vault else _counting(call)}"] += units
        return counts

    def _writes(self, call: dict[str, Any]) -> Counter[str]:
        """The write units of a call by the kinds of keys.

        Of a transaction, each item has the least that one costs, and what is above that is the first one's.
        """
        counts: Counter[str] = Counter()
        for table, units in _consumed(call):
            first, *others = [_kind(key, of == self._vault) for of, key in call["written"] if table in (of, None)]
            counts[first] += units
            for other in others if table else ():
                counts[first] -= _UNITS_IN_TRANSACTION
                counts[other] += _UNITS_IN_TRANSACTION
        return counts


@contextmanager
def metered(pipeline: Pipeline, functions: Iterable[str]) -> Iterator[Meter]:
    """Let what the functions with these keys ask be written down for the time of the block."""
    file = Path(pipeline.emulator.home) / "usage.jsonl"
    file.touch()
    try:
        names = {pipeline.function_name(key): key for key in functions}
        yield Meter(file, names, pipeline.outputs["VaultTableName"])
    finally:
        file.unlink()


def _consumed(call: dict[str, Any]) -> Iterator[tuple[str | None, int]]:
    """How many write units a call consumed of each table. What failed does not say of which."""
    for table, units in call.get("consumed", []):
        yield table, math.ceil(units)


def _kind(key: str, in_vault: bool) -> str:
    """What a partition key begins with: ``writes.order``, ``writes.view#sales``; or ``writes.vault``."""
    if in_vault:
        return "writes.vault"
    kind, _, rest = key.partition("#")
    return f"writes.{kind}#{rest.partition('#')[0]}" if f"{kind}#" == keys.VIEW else f"writes.{kind}"


def _counting(call: dict[str, Any]) -> str:
    """The projection to whose counters a transaction adds, after a full stop; nothing of other calls."""
    return next((f".{key.split('#')[1]}" for _, key in call["written"] if key.startswith(keys.APPLIED)), "")


def _is_sandbox(call: dict[str, Any]) -> bool:
    return any(key.startswith(keys.SANDBOX) for _, key in call.get("written", []))
