"""Batches of which AWS takes a part: the rest is sent again."""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError

_TRIES = 7
_FIRST_WAIT_SECONDS = 0.05
_BUSY = {"ThrottlingException", "ProvisionedThroughputExceededException", "RequestThrottled", "RequestLimitExceeded"}

Items = TypeVar("Items", list[Any], dict[str, Any])


class NotTaken(Exception):
    """AWS did not take everything in several tries."""


def until_taken(call: Callable[[Items], Items], items: Items) -> None:
    """Call with `items`, and again with those that `call` returns as not taken, or all where it was throttled.

    Raises:
        NotTaken: some are left after several tries.
    """
    for wait in (_FIRST_WAIT_SECONDS * 2**each for each in range(_TRIES)):
        if not items:
            return
        try:
            items = call(items)
        except ClientError as failure:
            if failure.response["Error"]["Code"] not in _BUSY:
                raise
        if items:
            time.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
    if items:
        raise NotTaken(f"{len(items)} items were not taken in {_TRIES} tries")
