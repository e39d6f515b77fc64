"""The conditions that hold a grant on a DynamoDB table to some of its partition keys, and to some attributes."""

from collections.abc import Iterable
from typing import Any


def named_and_among(keys: Iterable[str]) -> dict[str, Any]:
    """A request names partition keys, and each of them matches one of `keys` (IAM wildcards). A scan names none."""
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)},
        # Of no keys at all, everything holds for all.
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def naming_among(attributes: Iterable[str]) -> dict[str, Any]:
    """A request that reads names attributes, all of them among `attributes`. What writes never meets it.

    Source: Amazon DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control": each request
    that reads has a value of `Select`, whether it says so or not.
    """
    return {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": list(attributes)},
        "StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
    }


def returning_nothing() -> dict[str, Any]:
    """What writes does not ask for the item that was there, or is there now."""
    return {"StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"}}
