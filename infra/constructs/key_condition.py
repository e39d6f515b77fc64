"""The condition that holds a grant on a DynamoDB table to some of its partition keys."""

from collections.abc import Iterable
from typing import Any


def named_and_among(keys: Iterable[str]) -> dict[str, Any]:
    """A request names partition keys, and each of them matches one of `keys` (IAM wildcards). A scan names none."""
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)},
        # Of no keys at all, everything holds for all.
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
