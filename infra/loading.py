"""Importing what a command needs when it is needed."""

from importlib import import_module
from typing import Any

from infra import signals


def load(name: str) -> Any:
    """What a name such as ``infra.cli.app:app`` names, from its module, which is imported now.

    Importing takes up to half a second. A signal that arrives meanwhile ends the process at once: nothing was begun,
    and an exception raised inside an import may be printed, or lost.
    """
    module, _, attribute = name.partition(":")
    with signals.ending_at_once():
        return getattr(import_module(module), attribute)
