"""What the gateway makes of requests: messages for intake, and events for the function that answers questions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from events.envelope import Recorded
from handlers.functions.api import api_query
from handlers.intake.callers import OPERATE, READ, WRITE, Caller
from handlers.projections.order_view import OrderView
from handlers.table.event_store import EventStore
from infra.constructs.api.request_templates import FUNCTION_CLAIMS, CallerClaims, IntakeTemplates, submission
from infra.local.emulator.patches.mapping_templates import render
from tests.builders.messages import CONTEXT
from tests.builders.recorded_events import image

SCOPES = f"{READ} {WRITE}"
CALLER = Caller(subject="0b7ac1f5-2f7e-4a44-9a65-5d2c1f0e9d3b", client="demo-web", scopes=SCOPES, shop="demo")
"""A caller of the shop that takes every client."""

OPERATOR = Caller(subject="5f0c0a52-9a3e-4d1c-8a5e-0d8a3a6f6b11", client="console", scopes=OPERATE)
KEY = "Idempotency-Key"


def authorizer(caller: Caller, *, pool: bool = False) -> dict[str, Any]:
    """What our authorizer leaves of a caller, or with `pool` the gateway's own, which knows no shops."""
    if pool:
        return {"claims": {"sub": caller.subject, "client_id": caller.client, "scope": caller.scopes}}
    return {**caller.model_dump(), "shop": caller.shop or "", "principalId": caller.subject}


def context(caller: Caller = CALLER) -> dict[str, Any]:
    """What both authorizers leave: each template reads but one of them."""
    return {"authorizer": authorizer(caller) | authorizer(caller, pool=True)}


def sent(templates: IntakeTemplates, body: str, params: Mapping[str, str], caller: Caller = CALLER) -> str:
    """The message that SQS is asked to take."""
    form = parse_qs(
        render(templates.request, body, dict(params), context(caller)), keep_blank_values=True, strict_parsing=True
    )
    assert form["Action"] == ["SendMessage"]
    assert form.keys() == {"Action", "MessageBody"}
    [message] = form["MessageBody"]
    return message


def submitted(
    body: Any, key: str | None = None, caller: Caller = CALLER, claims: CallerClaims = FUNCTION_CLAIMS
) -> str:
    """The message that becomes of an order; a body that is text goes as it is."""
    text = body if isinstance(body, str) else json.dumps(body)
    return sent(submission(claims), text, {} if key is None else {KEY: key}, caller)


def ask(path: str, caller: Caller = CALLER, **more: Any) -> dict[str, Any]:
    """The answer to a question, as the gateway gets it; see `question`."""
    answer: dict[str, Any] = api_query.handler(question(path, caller, **more), CONTEXT)
    return answer


def question(
    path: str,
    caller: Caller = CALLER,
    *,
    pool: bool = False,
    headers: Mapping[str, str] | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """A question as the gateway hands it on; with `pool` it checked the token itself."""
    said = {name: str(value) for name, value in parameters.items()}
    return {
        "resource": "/",
        "path": f"/v1{path}",
        "httpMethod": "GET",
        "headers": dict(headers) if headers else None,
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": said or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in said.items()} or None,
        "pathParameters": None,
        "requestContext": {"authorizer": authorizer(caller, pool=pool), "stage": "v1", "path": f"/v1{path}"},
        "body": None,
        "isBase64Encoded": False,
    }


def content_of(answer: Mapping[str, Any], status: int = 200) -> Any:
    """The content of an answer with that status, without what is null."""
    assert answer["statusCode"] == status, answer
    content = json.loads(answer["body"])
    return {name: value for name, value in content.items() if value is not None}


def problem(answer: Mapping[str, Any], status: int) -> str:
    """The detail of the problem that was answered."""
    content = content_of(answer, status)
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/problem+json"]
    assert content.keys() == {"type", "title", "status", "detail"}
    assert content["status"] == status
    detail: str = content["detail"]
    return detail


def happened(store: EventStore, records: Iterable[Recorded]) -> None:
    """Put events of one order into the log, and show them in its view."""
    events = list(records)
    for each in events:
        store.client.put_item(TableName=store.table, Item=image(each))
    shown = [each for each in events if not each.stream.startswith("notification#")]
    OrderView(store).apply("1", shown)
