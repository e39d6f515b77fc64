"""Operations: what those who run the pipeline must know of it."""

from typing import Annotated

from pydantic import Field

from events.model import DomainEvent, Id, Text


class DeadLetterStored(DomainEvent):
    """A message that no retry could handle lies in the bucket of letters, under ``key``.

    ``source`` is the function or saga start it was meant for, ``error`` the class of what it failed with after so many
    ``tries``. Version n of a letter's stream is its nth stay there. What the message holds, and why in words, only the
    bucket knows: either may be personal.
    """

    letter_id: Id
    source: Id
    error: Text
    tries: Annotated[int, Field(ge=1)]
    key: Annotated[str, Field(min_length=1, max_length=1024)]
