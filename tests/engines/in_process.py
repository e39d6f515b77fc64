"""The functions in this process, as Lambda would call them.

How it works: the modules of the functions are imported once a process, by this module, under the tests' environment.
Their clients are made then, and the :data:`WIRE` is attached before. Unit tests leave it alone, and moto answers; other
tests connect it to the emulator for the time of a block, with the same names of table, bus and queues. Each function is
held to the keys of the table that it is granted.

Its limits: there is no packaging, no permission but on the table, and no timeout, and what a function keeps in memory
it keeps for all tests of the process, as a warm function does.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from infra.function_spec import FunctionSpec
from infra.local.emulator.process import Emulator
from tests.builders.environment import ENVIRONMENT
from tests.engines.roles import held
from tests.engines.wire import Wire

Handler = Callable[[dict[str, Any], Any], Any]

WIRE = Wire()
"""What lies between the functions and AWS."""


def _imported() -> Mapping[str, Handler]:
    """The handlers of all functions by key, imported."""
    if "handlers.runtime.aws" in sys.modules:
        raise RuntimeError(
            "handlers.runtime.aws was imported before moto and the wire: its clients would reach for AWS"
        )
    with patch.dict(os.environ, ENVIRONMENT):
        for elsewhere in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(elsewhere, None)
        importlib.import_module("moto")
        WIRE.attach(importlib.import_module("handlers.runtime.aws").session)
        declared = importlib.import_module("infra.functions")
        return {function.key: _handler(function) for function in (*declared.FUNCTIONS, declared.AUTHORIZER)}


def _handler(function: FunctionSpec) -> Handler:
    """The handler of a function. Whoever imports it from its module from now on has it held to the function's keys."""
    path, _, name = function.handler.rpartition(".")
    module, check = importlib.import_module(path), held(function)
    handler: Handler = getattr(module, name)

    @wraps(handler)
    def held_to_its_keys(event: dict[str, Any], context: Any) -> Any:
        with WIRE.used_by(function.key, check):
            return handler(event, context)

    setattr(module, name, held_to_its_keys)
    return held_to_its_keys


HANDLERS = _imported()


class Functions:
    """The functions by key. ``remaining_ms`` gives the time that an invocation has left, in milliseconds."""

    def __init__(self) -> None:
        self.wire = WIRE
        self.remaining_ms: Callable[[], int] = lambda: 60_000

    def invoke(self, key: str, event: dict[str, Any]) -> Any:
        """Call a function; returns what it returns, raises what it raises."""
        context = SimpleNamespace(
            function_name=key,
            memory_limit_in_mb=512,
            invoked_function_arn=f"arn:aws:lambda:{key}",
            aws_request_id="r",
            get_remaining_time_in_millis=self.remaining_ms,
        )
        return HANDLERS[key](event, context)


@contextmanager
def functions(emulator: Emulator) -> Iterator[Functions]:
    """The functions work on the emulator for the time of the block. They log next to nothing."""
    logger = importlib.import_module("handlers.runtime.observability").logger
    level = logger.log_level
    logger.setLevel("CRITICAL")
    try:
        with patch.dict(os.environ, ENVIRONMENT), WIRE.connected(emulator.client):
            yield Functions()
    finally:
        logger.setLevel(level)
