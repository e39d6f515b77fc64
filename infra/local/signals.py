"""Signals that end a command: it cleans up first, and further signals do not disturb it."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def cleaning_up_once() -> Iterator[None]:
    """In the block, the first signal to end is raised: SIGINT as KeyboardInterrupt, SIGTERM as SystemExit.

    From then on, and after the block, such signals are ignored, so that whatever the block started is ended, however
    often somebody presses Ctrl-C. SIGQUIT (Ctrl-\\) still ends the process at once.
    """

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        _ignore()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    for each in _ENDING:
        signal.signal(each, end)
    try:
        yield
    finally:
        _ignore()


def _ignore() -> None:
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
