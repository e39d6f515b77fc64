"""The OpenAPI document of the API.

The resolver documents what it answers; what the gateway does by itself is added here: taking orders and cancellations,
and refusing callers.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.models import Server
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from events.integration import MAX_CANONICAL_BYTES
from handlers.api.answers import Accepted
from handlers.api.problems import CONTENT_TYPE, Problem
from handlers.api.requests import KEY_PATTERN, CancellationRequest, OrderRequest
from handlers.intake.callers import OPERATE, READ, WRITE

_TITLE = "Order pipeline"
_DESCRIPTION = (
    "Orders in, and what became of them. Amounts are in the currency's minor unit, times UTC. An integer is written "
    "without a decimal point or an exponent: `1.0` is refused. A body is JSON in UTF-8 and begins without a byte order "
    "mark. With what the gateway adds it has at most 1 MiB, and an order of more than "
    f"{MAX_CANONICAL_BYTES // 1024} KiB without white space is rejected after it was accepted."
)
_SCHEMAS = "#/components/schemas/{model}"
_ALWAYS = (400, 401, 403, 429, 500, 502, 504)
_OF_QUESTION = (*_ALWAYS, 404)
_OF_BODY = (*_ALWAYS, 413, 415, 503)
_SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": f"An access token with {READ} or {WRITE} for the orders of one's shop, or with {OPERATE} to "
        "look at and cancel those of all shops.",
    }
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The shop's own id of the order: 1 to 47 of A-Z a-z 0-9 _ -, such as a UUID, in upper or lower case "
    "alike. The same key is the same order, however often it is sent. Without a key, the answer says the order's id.",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}
_ETAG = {"ETag": {"description": "Send it as If-None-Match to hear of changes only.", "schema": {"type": "string"}}}
_IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}


@cache
def document(app: APIGatewayRestResolver) -> str:
    """The document, as JSON: OpenAPI 3.1."""
    generated = app.get_openapi_json_schema(
        title=_TITLE, version="1", description=_DESCRIPTION, servers=[Server(url="/v1")]
    )
    content: dict[str, Any] = json.loads(generated)
    for operations in content["paths"].values():
        _complete(operations["get"])
    content["paths"]["/orders"]["post"] = _taking(
        "Place an order.", "It is accepted at once; look at its status_url.", OrderRequest, [_KEY], [WRITE]
    )
    [of_order] = [part for part in content["paths"]["/orders/{order_id}"]["get"]["parameters"] if part["in"] == "path"]
    content["paths"]["/orders/{order_id}/cancellation"]["post"] = _taking(
        "Ask for an order to be cancelled.",
        "Confirmed or not, unless it is on its way. Ask here what became of it.",
        CancellationRequest,
        [of_order],
        [WRITE, OPERATE],
    )
    content["components"]["schemas"] = _own(content["components"]["schemas"]) | _schemas(
        (OrderRequest, CancellationRequest, Accepted, Problem)
    )
    content["components"]["securitySchemes"] = _SECURITY
    return json.dumps(content, sort_keys=True)


def _own(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Without the schemas of validation errors that the resolver would answer with; ours are problems."""
    return {name: schema for name, schema in schemas.items() if "ValidationError" not in name}


def _schemas(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    _, content = models_json_schema([(model, "validation") for model in models], ref_template=_SCHEMAS)
    schemas: dict[str, Any] = content["$defs"]
    return schemas


def _complete(operation: dict[str, Any]) -> None:
    del operation["responses"]["422"]
    operation["responses"]["200"]["headers"] = _ETAG
    operation["responses"]["304"] = {"description": "Not Modified"}
    operation["responses"] |= _problems(_OF_QUESTION)
    operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
    operation["security"] = _any_of([READ, OPERATE])


def _taking(
    summary: str, description: str, body: type[BaseModel], parameters: list[Any], scopes: Iterable[str]
) -> dict[str, Any]:
    return {
        "summary": summary,
        "description": description,
        "parameters": parameters,
        "requestBody": {"required": True, "content": {"application/json": {"schema": _reference(body)}}},
        "responses": {
            "202": {"description": "Accepted", "content": {"application/json": {"schema": _reference(Accepted)}}},
            **_problems(_OF_BODY),
        },
        "security": _any_of(scopes),
    }


def _any_of(scopes: Iterable[str]) -> list[dict[str, list[str]]]:
    return [{"token": [scope]} for scope in scopes]


def _problems(statuses: Iterable[int]) -> dict[str, Any]:
    content = {CONTENT_TYPE: {"schema": _reference(Problem)}}
    return {str(status): {"description": HTTPStatus(status).phrase, "content": content} for status in sorted(statuses)}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _SCHEMAS.format(model=model.__name__)}
