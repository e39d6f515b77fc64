"""The condition key `dynamodb:LeadingKeys`: the emulator does not tell its policy engine which keys a request names.

Nothing here imports the emulator: tests hold the functions in their own process to their keys too.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

_PARTITION_KEY = "PK"
_FIRST_EQUALITY = re.compile(r"\s*#?\w+\s*=\s*(:\w+)")

Check = tuple[str, str]
"""An action and a resource."""


def leading_keys(request: Mapping[str, Any]) -> list[str]:
    """The partition keys that a request names: of a transaction one for each item, in order; of a scan none.

    The condition of a query begins with the partition key.
    """
    if "KeyConditionExpression" in request:
        condition = _FIRST_EQUALITY.match(request["KeyConditionExpression"])
        return [request["ExpressionAttributeValues"][condition[1]]["S"]] if condition else []
    alone = request if request.keys() & {"Key", "Item"} else {}
    named = _named(request.get("RequestItems") or request.get("TransactItems") or alone)
    return [each.get(_PARTITION_KEY, {}).get("S", "") for each in named]


def _named(part: Any) -> Iterator[Mapping[str, Any]]:
    """The keys and items in a part of a request."""
    if isinstance(part, list):
        for each in part:
            yield from _named(each)
    elif "Key" in part or "Item" in part:
        yield part.get("Key") or part["Item"]
    elif "Keys" in part:
        yield from part["Keys"]
    else:
        yield from _named(list(part.values()))


def patch(iam_actions: Any) -> None:
    """Let the policy engine know the leading keys of a request, and of each item of a transaction."""
    context_of, checks_of = iam_actions.dynamodb_service_context, iam_actions.dynamodb_transaction_checks
    current: ContextVar[list[str]] = ContextVar("current")

    def context(body: bytes) -> dict[str, Any]:
        keys = leading_keys(json.loads(body or b"{}"))
        current.set(keys)
        return {**context_of(body), **({"dynamodb:LeadingKeys": keys} if keys else {})}

    def checks(*arguments: Any) -> Iterable[Check]:
        found = checks_of(*arguments)
        return _each_with_its_own_key(found, current.get()) if found else []

    iam_actions.dynamodb_service_context, iam_actions.dynamodb_transaction_checks = context, checks


def _each_with_its_own_key(checks: list[Check], keys: list[str]) -> Iterator[Check]:
    """The checks of a transaction's items; while one is under way, `keys` has the key of its item alone."""
    for check, key in zip(checks, list(keys), strict=True):
        keys[:] = [key]
        yield check
