"""API keys that the authorizer names: the emulator knows those in a header alone."""

import contextvars
from typing import Any

_NAMED = "usageIdentifierKey"


def patch(gateway: Any) -> None:
    """Let a request count on the key that its authorizer function names, and not on one that it sends itself.

    `gateway` is the emulator's module for REST APIs.
    """
    invoke, authorize = gateway._invoke_authorizer_lambda, gateway._authorize_request_v1
    key: contextvars.ContextVar[str | None] = contextvars.ContextVar("key", default=None)

    async def invoke_keeping_key(*arguments: Any) -> Any:
        result = await invoke(*arguments)
        body = result.get("body") if result else None
        if isinstance(body, dict) and _NAMED in body:
            body["context"] = {**(body.get("context") or {}), _NAMED: body[_NAMED]}
        return result

    async def authorize_with_key(*arguments: Any) -> Any:
        error, context = await authorize(*arguments)
        context = dict(context or {})
        key.set(context.pop(_NAMED, None))
        return error, context or None

    gateway._invoke_authorizer_lambda = invoke_keeping_key
    gateway._authorize_request_v1 = authorize_with_key
    gateway._api_key_from_request = lambda _headers: key.get()
