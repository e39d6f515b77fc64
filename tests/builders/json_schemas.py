"""Hypothesis strategies for what JSON Schemas allow, as far as the contract's schemas go."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

# What a column or a form may hold: anything but surrogates, which are no text.
CHARACTERS = st.characters(codec="utf-8")


def allowed_by(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> SearchStrategy[Any]:
    """Values that a schema allows; raises KeyError where it has a type or a reference that is not known here."""
    root = root or schema
    if reference := schema.get("$ref"):
        return allowed_by(root["$defs"][reference.removeprefix("#/$defs/")], root)
    if "anyOf" in schema:
        return st.one_of(*(allowed_by(each, root) for each in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _TYPES[schema["type"]](schema, root)


def _object(schema: Mapping[str, Any], root: Mapping[str, Any]) -> SearchStrategy[Any]:
    fields = {name: allowed_by(each, root) for name, each in schema["properties"].items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: each for name, each in fields.items() if name in required},
        optional={name: each for name, each in fields.items() if name not in required},
    )


def _array(schema: Mapping[str, Any], root: Mapping[str, Any]) -> SearchStrategy[Any]:
    fewest = schema.get("minItems", 0)
    return st.lists(
        allowed_by(schema["items"], root), min_size=fewest, max_size=min(schema.get("maxItems", 4), fewest + 4)
    )


def _string(schema: Mapping[str, Any], root: Mapping[str, Any]) -> SearchStrategy[Any]:
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
    longest = schema.get("maxLength")
    if "pattern" not in schema:
        return st.text(CHARACTERS, min_size=schema.get("minLength", 0), max_size=longest)
    # Python's $ also stands before a newline at the end, JSON Schema's does not.
    matching = st.from_regex(schema["pattern"].removesuffix("$") + r"\Z", alphabet=CHARACTERS)
    return matching.filter(lambda text: longest is None or len(text) <= longest)


def _integer(schema: Mapping[str, Any], root: Mapping[str, Any]) -> SearchStrategy[Any]:
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", -(10**6) - 1) + 1)
    return st.integers(lowest, schema.get("maximum", max(lowest, 10**6)))


_TYPES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], SearchStrategy[Any]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "boolean": lambda schema, root: st.booleans(),
    "null": lambda schema, root: st.none(),
}
