"""What a deployment has to know of the account before it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

_MISSING = {"ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_COMPLETE"}
"""Of a stack in these states nothing is there: its creation failed and was undone, or never began."""


class Account:
    """The account that the credentials are for. `client` makes clients of its services, in the region wanted."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self.client = client

    @property
    def number(self) -> str:
        """Its twelve digits."""
        number: str = self.client("sts").get_caller_identity()["Account"]
        return number

    def stack(self, name: str) -> dict[str, Any] | None:
        """A stack as CloudFormation describes it; None where there is none, or nothing in it."""
        try:
            [found] = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        return None if found["StackStatus"] in _MISSING else found

    def tables(self) -> Iterator[str]:
        """The names of all tables of DynamoDB."""
        for page in self.client("dynamodb").get_paginator("list_tables").paginate():
            yield from page["TableNames"]
