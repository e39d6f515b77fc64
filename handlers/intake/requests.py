"""Requests: integration events that were let in, with who sent them. Who may say what is decided here, purely."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.parser import parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from events.envelope import Actor
from events.integration import INTEGRATION_EVENTS, PUBLISHED_BY
from events.model import Id, OrderId
from events.ordering import RejectionReason
from handlers.intake.callers import Caller
from handlers.intake.parties import Parties
from handlers.intake.validation import NotAllowed, Refused, reasons


class IntakeMessage(BaseModel):
    """An integration event on an intake queue: as EventBridge delivers it, as the HTTP API sends it, or from a file.

    EventBridge gives the publisher's ``source``; publishers cannot set any of the other fields. Only the API names a
    ``caller``, and an ``order_id`` where the request does; the id of its messages is the queue's, and where they are
    redriven the one they had first. Only the import of files names the ``folder`` of the file.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    detail_type: str = Field(alias="detail-type")
    detail: Any
    source: str = ""
    caller: Caller | None = None
    order_id: Id | OrderId | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An integration event that was let in.

    ``shop`` is the one on whose behalf it came: None where an operator acts, or a warehouse or carrier. ``order_id`` is
    the one that a request of the HTTP API is about.
    """

    id: str
    detail: Any
    actor: Actor
    shop: str | None
    order_id: str | None = None
    by_http: bool = False


def intake_message(body: str, message_id: str) -> IntakeMessage:
    """The message in the body of a queue's message, which had that id first.

    Raises:
        Refused: it is none.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as invalid:
        raise Refused([RejectionReason(field="", message=f"not readable as JSON: {invalid}")]) from invalid
    if isinstance(content, dict) and "caller" in content:
        content["id"] = message_id
    try:
        return parse(event=content, model=IntakeMessage)
    except ValidationError as invalid:
        raise Refused(reasons(invalid)) from None


def sending_shop(message: IntakeMessage, parties: Parties) -> str | None:
    """The shop that a message came from, whether it may say that or not; None where it came from no shop."""
    if message.caller is not None:
        return message.caller.of_parties(parties).shop
    if message.folder is not None:
        return parties.shop_of_folder(message.folder)
    party = parties.publisher(message.source)
    return party.name if party and party.name in parties.shops else None


def request(message: IntakeMessage, parties: Parties) -> Request:
    """Let a message in.

    Raises:
        NotAllowed: its sender is nobody we know, or not in the role for that type of event.
    """
    if message.caller is not None:
        caller = message.caller.of_parties(parties)
        if caller.shop is None and not caller.operates:
            raise _not_allowed("caller", f"the client {caller.client!r} is no shop's in the settings")
        return Request(message.id, message.detail, caller.actor, caller.shop, message.order_id, by_http=True)
    if message.folder is not None:
        shop = parties.shop_of_folder(message.folder)
        if shop is None:
            raise _not_allowed("folder", f"the folder {message.folder!r} is no shop's in the settings")
        return Request(message.id, message.detail, Actor(door="file", principal=f"{shop}/{message.folder}"), shop)
    return _published(message, parties)


def _published(message: IntakeMessage, parties: Parties) -> Request:
    party = parties.publisher(message.source)
    if party is None:
        raise _not_allowed("source", f"the source {message.source!r} is nobody's in the settings")
    needed = PUBLISHED_BY[INTEGRATION_EVENTS[message.detail_type]]
    if needed not in party.roles:
        raise _not_allowed(
            "detail-type", f"{message.detail_type} is for a {needed} to publish, and {message.source!r} is none"
        )
    actor = Actor(door="bus", principal=f"{party.name}/{message.source}")
    return Request(message.id, message.detail, actor, party.name if needed == "shop" else None)


def _not_allowed(field: str, message: str) -> NotAllowed:
    return NotAllowed([RejectionReason(field=field, message=message)])
