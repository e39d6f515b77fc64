"""Whether a reader of one JSON Schema takes everything another schema allowed: what keeps older events readable.

Knows the keywords that the contract's schemas use. A keyword it does not know may not change at all, so what it calls
compatible is.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from math import inf
from typing import Any

Schema = Mapping[str, Any]

_ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "title", "description", "examples"})
_COMPARED = frozenset({"type", "enum", "const", "anyOf", "default", "properties", "required", "items"})
_LIMITS = {"minimum": -1, "minLength": -1, "minItems": -1, "maximum": 1, "maxLength": 1, "maxItems": 1}
"""Keywords that limit, and the direction in which a limit gets wider."""
_EXCLUSIVE = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}
_ABSENT = "nothing"


def breaks(old: Schema, new: Schema) -> list[str]:
    """What a reader of ``new`` would refuse, or understand otherwise, of what ``old`` allows; each with its path."""
    return list(_breaks(old, new, old, new, ""))


def _breaks(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    """``old_root`` and ``new_root`` are the documents that references point into."""
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    if "anyOf" in old or "anyOf" in new:
        yield from _alternatives(old, new, old_root, new_root, path)
        return
    if old.get("type") != new.get("type"):
        yield f"{path or 'the event'}: type {old.get('type')} became {new.get('type')}"
        return
    yield from (f"{path}: {change}" for change in chain(_values(old, new), _limits(old, new), _others(old, new)))
    if "items" in new:
        yield from _breaks(old.get("items", {}), new["items"], old_root, new_root, f"{path}[]")
    yield from _properties(old, new, old_root, new_root, path)


def _resolved(schema: Schema, root: Schema) -> Schema:
    while reference := schema.get("$ref"):
        schema = root["$defs"][reference.removeprefix("#/$defs/")]
    return schema


def _alternatives(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    """Each alternative of the old schema needs one of the new that takes it."""
    for before in old.get("anyOf", [old]):
        tries = {
            _type(after, new_root): list(_breaks(before, after, old_root, new_root, path))
            for after in new.get("anyOf", [new])
        }
        if all(tries.values()):
            kind = _type(before, old_root)
            yield from tries.get(kind, [f"{path}: {kind} is not allowed any more"])


def _type(schema: Schema, root: Schema) -> Any:
    return _resolved(schema, root).get("type")


def _values(old: Schema, new: Schema) -> Iterator[str]:
    before, after = _allowed(old), _allowed(new)
    if after is None:
        return
    if before is None:
        yield f"only these values are allowed now: {', '.join(map(str, after))}"
    elif gone := [value for value in before if value not in after]:
        yield f"values are not allowed any more: {', '.join(map(str, gone))}"


def _allowed(schema: Schema) -> list[Any] | None:
    allowed: list[Any] | None = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return allowed


def _limits(old: Schema, new: Schema) -> Iterator[str]:
    for keyword, wider in _LIMITS.items():
        before, after = _limit(old, keyword, wider), _limit(new, keyword, wider)
        if wider * before > wider * after:
            yield f"{keyword} became {after}, was {before}"


def _limit(schema: Schema, keyword: str, wider: int) -> float:
    """The limit, infinite where there is none; the exclusive limit of an integer is turned into an inclusive one."""
    limit: float = schema.get(keyword, wider * inf)
    exclusive: float | None = schema.get(_EXCLUSIVE.get(keyword, ""))
    if exclusive is None or schema["type"] != "integer":
        return limit
    return wider * min(wider * limit, wider * exclusive - 1)


def _others(old: Schema, new: Schema) -> Iterator[str]:
    """Keywords that may be dropped but not added or changed, ``pattern`` and ``format`` among them."""
    compared = _COMPARED | _LIMITS.keys()
    if new.get("type") == "integer":
        compared |= set(_EXCLUSIVE.values())
    if new.get("additionalProperties") is True:
        compared |= {"additionalProperties"}
    for keyword in sorted(new.keys() - _ANNOTATIONS - compared):
        if old.get(keyword) != new[keyword]:
            yield f"{keyword} became {new[keyword]}, was {old.get(keyword, 'none')}"


def _properties(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed = old.get("required", [])
    for name, schema in before.items():
        field = f"{path}.{name}".removeprefix(".")
        if name not in after:
            yield f"{field}: removed"
            continue
        yield from _breaks(schema, after[name], old_root, new_root, field)
        default, was = after[name].get("default", _ABSENT), schema.get("default", _ABSENT)
        if name not in needed and default != was:
            yield f"{field}: what an event without it means became {default}, was {was}"
    for name in new.get("required", []):
        if name not in needed:
            yield f"{path}.{name}".removeprefix(".") + (": made required" if name in before else ": added as required")
