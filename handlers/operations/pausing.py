"""Pausing: a function is fed no longer, and its messages wait in their queue until it is fed again.

What feeds a function is an event source mapping of Lambda. To pause is to disable it: Lambda receives nothing from the
queue, so no message is tried, and none becomes a dead-letter message. Two tags of the mapping remember since when, and
by whom.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from handlers.operations.errors import OperationFailed

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef as Mapped

PAUSED_AT = "paused-at"
PAUSED_BY = "paused-by"

_DISABLED = "Disabled"
_SETTLED = {"Enabled", _DISABLED}
_SETTLES_WITHIN_SECONDS = 300.0
_LONGEST_TAG = 256
_NOT_IN_TAGS = re.compile(r"[^\w .:/=+@-]")


@dataclass(frozen=True)
class Pause:
    """Since when a function is paused, and the ARN of who did it: None where that was not by `Feeds.pause`."""

    since: datetime | None
    by: str | None


def is_any_paused(client: LambdaClient, functions: Collection[str]) -> bool:
    """Whether one of the functions with these names is paused."""
    return any(_off(feed) and _function_of(feed) in functions for feed in _all_feeds(client))


class Feeds:
    """What feeds the functions of one deployment.

    Args:
        client: a Lambda client.
        functions: the names of functions with a queue in front of them, by their keys.
        poll_seconds: how long to wait before asking again whether a change is done.
    """

    def __init__(self, client: LambdaClient, functions: Mapping[str, str], *, poll_seconds: float) -> None:
        self._client = client
        self._functions = functions
        self._poll_seconds = poll_seconds

    def paused(self) -> dict[str, Pause]:
        """The functions that are paused, by their keys."""
        keys = {name: key for key, name in self._functions.items()}
        return {
            keys[_function_of(feed)]: self._pause_of(feed)
            for feed in _all_feeds(self._client)
            if _function_of(feed) in keys and _off(feed)
        }

    def pause(self, function: str, *, operator: str, now: datetime) -> Pause | None:
        """Feed a function no longer; returns once Lambda receives nothing more for it. What it has received, it ends.

        Returns the pause that the function was in already, which is left as it was; None where it was in none.

        Args:
            function: its key.
            operator: the ARN of who pauses it. Characters that no tag may have are replaced.
            now: the time, with its zone.

        Raises:
            OperationFailed: nothing feeds the function, or Lambda does not get done with a change.
        """
        feed = self._settled(function)
        if _off(feed):
            return self._pause_of(feed)
        tags = {PAUSED_AT: now.isoformat(timespec="seconds"), PAUSED_BY: _NOT_IN_TAGS.sub("_", operator)[:_LONGEST_TAG]}
        self._client.tag_resource(Resource=feed["EventSourceMappingArn"], Tags=tags)
        self._client.update_event_source_mapping(UUID=feed["UUID"], Enabled=False)
        self._settled(function)
        return None

    def unpause(self, function: str) -> Pause | None:
        """Feed a function again, by what waits first; returns once it is fed.

        Returns the pause that ends with it; None where there was none.

        Raises:
            OperationFailed: as for `pause`.
        """
        feed = self._settled(function)
        if not _off(feed):
            return None
        pause = self._pause_of(feed)
        self._client.update_event_source_mapping(UUID=feed["UUID"], Enabled=True)
        self._settled(function)
        self._client.untag_resource(Resource=feed["EventSourceMappingArn"], TagKeys=[PAUSED_AT, PAUSED_BY])
        return pause

    def _settled(self, function: str) -> Mapped:
        """What feeds the function, once no change of it is under way: Lambda allows one at a time."""
        deadline = time.monotonic() + _SETTLES_WITHIN_SECONDS
        while (feed := self._feed(function))["State"] not in _SETTLED:
            if time.monotonic() > deadline:
                raise OperationFailed(f"what feeds {function} is still {feed['State']}: try again later")
            time.sleep(self._poll_seconds)
        return feed

    def _feed(self, function: str) -> Mapped:
        for feed in _all_feeds(self._client):
            if _function_of(feed) == self._functions[function]:
                return feed
        raise OperationFailed(f"nothing feeds {function}: its event source mapping is gone; deploy the pipeline again")

    def _pause_of(self, feed: Mapped) -> Pause:
        tags = self._client.list_tags(Resource=feed["EventSourceMappingArn"])["Tags"]
        since = tags.get(PAUSED_AT)
        return Pause(datetime.fromisoformat(since) if since else None, tags.get(PAUSED_BY))


def _all_feeds(client: LambdaClient) -> Iterator[Mapped]:
    """Every mapping of the account: what feeds an alias is not among those of its function."""
    page = client.list_event_source_mappings()
    yield from page["EventSourceMappings"]
    while marker := page.get("NextMarker"):
        page = client.list_event_source_mappings(Marker=marker)
        yield from page["EventSourceMappings"]


def _function_of(feed: Mapped) -> str:
    """The name of the function that is fed, without its version or alias."""
    return feed["FunctionArn"].split(":")[6]


def _off(feed: Mapped) -> bool:
    return feed["State"] in {_DISABLED, "Disabling"}
