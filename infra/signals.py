"""Signals that ask a command to end: Ctrl-C (SIGINT), and SIGTERM."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

_ENDING = (signal.SIGINT, signal.SIGTERM)

Block = TypeVar("Block")


class Ended(SystemExit):
    """A signal asked the command to end. The exit status is 128 and the signal's number, as in shells."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


def install() -> None:
    """Let either signal raise Ended, so that the command cleans up. One that is ignored, as by `nohup`, stays so."""
    for number in _respected():
        signal.signal(number, end)


def end(number: int, _frame: FrameType | None) -> NoReturn:
    """Take a signal by raising Ended. Further ones are ignored: they must not interrupt the cleaning up."""
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise Ended(number)


@contextmanager
def ending_at_once() -> Iterator[None]:
    """For the time of the block, let either signal end the process without cleaning up."""
    with _handling(_exit):
        yield


@contextmanager
def leaving_undisturbed(block: AbstractContextManager[Block]) -> Iterator[Block]:
    """Enter a block which neither signal can interrupt while it is being left."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(block)
        finally:
            with _handling(signal.SIG_IGN):
                stack.close()


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)


def _respected() -> list[signal.Signals]:
    """The signals that whoever started the process did not let it ignore."""
    return [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def _handling(handler: Any) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _respected()}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
