"""JSON Schema as API Gateway reads it: draft 4, converted from what pydantic writes (draft 2020-12)."""

from typing import Any

from pydantic import BaseModel

_INCLUSIVE = {"exclusiveMinimum": ("minimum", 1), "exclusiveMaximum": ("maximum", -1)}
_LEFT_OUT = {"title", "description", "default"}  # for people, who read them in the OpenAPI document


def draft4(model: type[BaseModel]) -> dict[str, Any]:
    """The draft 4 schema of a model's JSON.

    Source: JSON Schema Validation, draft 4, section 5: there is no ``const``, and definitions are under
    ``definitions``. API Gateway developer guide, "Important notes": exclusive limits are not supported.

    Raises:
        ValueError: a number that is no integer has an exclusive limit.
    """
    schema = _converted(model.model_json_schema(ref_template="#/definitions/{model}"))
    return {"$schema": "http://json-schema.org/draft-04/schema#", **schema}


def _converted(schema: dict[str, Any]) -> dict[str, Any]:
    converted: dict[str, Any] = {}
    for keyword, value in schema.items():
        match keyword:
            case "$defs" | "properties":
                name = "definitions" if keyword == "$defs" else keyword
                converted[name] = {each: _converted(part) for each, part in value.items()}
            case "const":
                converted["enum"] = [value]
            case "exclusiveMinimum" | "exclusiveMaximum":
                if schema.get("type") != "integer":
                    raise ValueError(f"{keyword} of what is no integer has no inclusive form: {schema}")
                inclusive, step = _INCLUSIVE[keyword]
                converted[inclusive] = value + step
            case _ if keyword in _LEFT_OUT:
                pass
            case _ if isinstance(value, dict):
                converted[keyword] = _converted(value)
            case _ if isinstance(value, list):
                converted[keyword] = [_converted(part) if isinstance(part, dict) else part for part in value]
            case _:
                converted[keyword] = value
    return converted
