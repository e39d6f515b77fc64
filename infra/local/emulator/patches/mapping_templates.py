"""API Gateway's mapping templates, rendered as Velocity does: the emulator's own renderer knows no `#if`.

What a template may refer to is named as in the API Gateway developer guide, "Mapping template reference". An answer's
template may override the status.
"""

import json
import re
import urllib.parse
from functools import cache
from typing import Any

import airspeed


class JavaString(str):
    """A string with those of Java's methods that our templates call."""

    def matches(self, pattern: str) -> bool:
        return re.fullmatch(pattern, self) is not None

    def equalsIgnoreCase(self, other: str) -> bool:  # noqa: N802 - Java's name
        return self.lower() == other.lower()

    def replaceAll(self, pattern: str, replacement: str) -> "JavaString":  # noqa: N802 - Java's name
        return JavaString(re.sub(pattern, replacement, self))

    def startsWith(self, prefix: str) -> bool:  # noqa: N802 - Java's name
        return self.startswith(prefix)

    def toLowerCase(self) -> "JavaString":  # noqa: N802 - Java's name
        return JavaString(self.lower())


class JavaMap(dict[str, JavaString]):
    """A map with what our templates call of Java's."""

    def keySet(self) -> list[JavaString]:  # noqa: N802 - Java's name
        return [JavaString(key) for key in self]


class Input:
    """``$input``: the body, and parameters by name; the emulator mixes headers with those of path and query."""

    def __init__(self, body: str, params: dict[str, str]) -> None:
        self.body = body
        self._params = params

    def params(self, name: str | None = None) -> Any:
        if name is None:
            return {"header": JavaMap({key: JavaString(value) for key, value in self._params.items()})}
        return JavaString(self._params.get(name, ""))

    def path(self, path: str) -> Any:
        found = json.loads(self.body)
        for name in path.removeprefix("$.").split("."):
            found = (found or {}).get(name)
        return found


class Util:
    """``$util``."""

    def urlEncode(self, text: str) -> JavaString:  # noqa: N802 - AWS's name
        return JavaString(urllib.parse.quote_plus(text, safe="*").replace("~", "%7E"))


def render(template: str, body: str, params: dict[str, str], context: dict[str, Any] | None = None) -> str:
    """What a mapping template makes of a request or of an answer to it.

    ``context["responseOverride"]`` is where it leaves what is to be overridden.
    """
    known = {**_strings(context or {}), "responseOverride": (context or {}).get("responseOverride", {})}
    rendered: str = _parsed(template).merge({"input": Input(body, params), "util": Util(), "context": known})
    return rendered


def patch(apigateway: Any) -> None:
    """Let the emulator's module ``apigateway`` render templates like that, and answer with the status they set.

    AWS asks its services for JSON, errors included.
    """
    respond = apigateway._service_integration_response

    def respond_as_overridden(
        integration: Any, status: int, text: str, *more: Any
    ) -> tuple[int, dict[str, str], bytes]:
        *asked, context = more
        override: dict[str, int] = {}
        known = {**context, "responseOverride": override}
        mapped, headers, body = respond(integration, status, _as_json(text), *asked, known)
        return override.get("status", mapped), headers, body

    apigateway._render_request_template_v1 = render
    apigateway._service_integration_response = respond_as_overridden


def _as_json(answer: str) -> str:
    if not answer.startswith("<"):
        return answer
    return json.dumps({"Error": dict(re.findall("<(Type|Code|Message)>(.*?)</", answer))})


@cache
def _parsed(template: str) -> Any:
    return airspeed.Template(template)


def _strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _strings(part) for name, part in value.items()}
    return JavaString(value) if isinstance(value, str) else value
