"""Operations: what those who run the pipeline must know."""

from typing import Annotated

from pydantic import Field

from events.model import DomainEvent, Id, Text


class DeadLetterStored(DomainEvent):
    """A message that no retry could handle was stored in the bucket of dead-letter messages, under ``key``.

    ``source`` is the function or saga start it was meant for, ``error`` the class of what it failed with after so many
    ``attempts``. Version n of the stream is the message's nth failure. What the message holds, and the reasons in
    words, are in the bucket alone: either may be personal.
    """

    message_id: Id
    source: Id
    error: Text
    attempts: Annotated[int, Field(ge=1)]
    key: Annotated[str, Field(min_length=1, max_length=1024)]
