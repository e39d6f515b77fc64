"""Explaining errors that are no bug of ours: an operation that cannot be done, and trouble with AWS."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from handlers.operations.errors import InvalidRequest, OperationFailed
from handlers.retry_policy import Retryable
from infra.cli.command_error import CommandError


def explained(problem: Exception) -> CommandError | None:
    """The error to print instead of one that is no bug of ours; None if it may be one."""
    if isinstance(problem, Retryable):
        if not isinstance(problem.__cause__, ClientError | BotoCoreError):
            return CommandError(f"{problem}; try again")
        problem = problem.__cause__
    if isinstance(problem, InvalidRequest):
        return CommandError(str(problem), status=2)
    if isinstance(problem, OperationFailed | BotoCoreError):
        return CommandError(str(problem))
    return CommandError(_refused(problem)) if isinstance(problem, ClientError) else None


def _refused(refusal: ClientError) -> str:
    error = refusal.response["Error"]
    return f"AWS refused {refusal.operation_name}: {error.get('Code', '?')}: {error.get('Message', '')}"
