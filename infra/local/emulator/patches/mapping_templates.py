"""API Gateway's mapping templates, rendered as Velocity does: the emulator's own renderer knows no `#if`.

What a template may refer to is named as in the API Gateway developer guide, "Mapping template reference".
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
            found = found[name]
        return found


class Util:
    """``$util``."""

    def urlEncode(self, text: str) -> str:  # noqa: N802 - AWS's name
        return urllib.parse.quote_plus(text, safe="*").replace("~", "%7E")


def render(template: str, body: str, params: dict[str, str], context: dict[str, Any] | None = None) -> str:
    """What a mapping template makes of a request or of an answer to it."""
    names = {"input": Input(body, params), "util": Util(), "context": _strings(context or {})}
    rendered: str = _parsed(template).merge(names)
    return rendered


@cache
def _parsed(template: str) -> Any:
    return airspeed.Template(template)


def _strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _strings(part) for name, part in value.items()}
    return JavaString(value) if isinstance(value, str) else value
