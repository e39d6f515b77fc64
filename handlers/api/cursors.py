"""Cursors: where a list goes on. Opaque to callers, and good for the very list they came with."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from http import HTTPStatus

from pydantic import ValidationError

from handlers.api.problems import Refusal
from handlers.queries.orders import Position

_CHECK_BYTES = 12


def encode(position: Position, question: str) -> str:
    """The cursor for a position in the answers to ``question``, any text that tells one list from another."""
    content = position.model_dump_json().encode()
    return urlsafe_b64encode(_check(content, question) + content).decode().rstrip("=")


def decode(cursor: str, question: str) -> Position:
    """The position that a cursor names.

    Raises:
        Refusal: it is damaged, or came with another list.
    """
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        content = raw[_CHECK_BYTES:]
        if raw[:_CHECK_BYTES] == _check(content, question):
            return Position.model_validate_json(content)
    except (ValueError, binascii.Error, ValidationError):
        pass
    raise Refusal(HTTPStatus.NOT_FOUND, "cursor: damaged, or of another list; begin without one")


def _check(content: bytes, question: str) -> bytes:
    """What ties a cursor to its list. It needs no secret: a made up cursor leads to the caller's own orders at most."""
    return blake2b(content + b"\0" + question.encode(), digest_size=_CHECK_BYTES).digest()
