"""What goes wrong, told in one line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from infra.names import TABLE_NAME

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


class Failure(Exception):
    """The command cannot do what it was asked to; the message is the one line to tell. ``status`` is the exit code."""

    def __init__(self, message: str, *, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def explained(problem: Exception) -> str | None:
    """What to tell of an error that is no bug of ours, in one line; None if it may be one."""
    if isinstance(problem, Failure):
        return " ".join(str(problem).split())
    if "botocore" not in sys.modules:
        return None

    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see the package

    from handlers.table.retrying import Retryable  # noqa: PLC0415

    if isinstance(problem, Retryable):
        if not isinstance(problem.__cause__, ClientError | BotoCoreError):
            return " ".join(f"{problem}; try again".split())
        problem = problem.__cause__
    if isinstance(problem, ClientError):
        return " ".join(_refused(problem).split())
    return " ".join(str(problem).split()) if isinstance(problem, BotoCoreError) else None


def _refused(refusal: ClientError) -> str:
    error = refusal.response["Error"]
    if refusal.operation_name in {"GetItem", "Query"} and error.get("Code") == "ResourceNotFoundException":
        return f"there is no table {TABLE_NAME!r} in this account and region: the pipeline is not deployed there"
    return f"AWS refused {refusal.operation_name}: {error.get('Code', '?')}: {error.get('Message', '')}"
