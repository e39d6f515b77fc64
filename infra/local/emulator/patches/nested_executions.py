"""Executions that an execution starts: the emulator names their refusals without the prefix that AWS gives them."""

from typing import Any

# Source: AWS Step Functions Developer Guide, "Start a new AWS Step Functions state machine from a running execution".
PREFIX, SUFFIX = "StepFunctions.", "Exception"


def patch(stepfunctions: Any) -> None:
    """Name a refusal of `states:startExecution` as on AWS: `StepFunctions.ExecutionAlreadyExistsException`."""
    start = stepfunctions._invoke_nested_start_execution

    def started(resource: str, request: dict[str, Any]) -> Any:
        try:
            return start(resource, request)
        except stepfunctions._ExecutionError as refusal:
            if "." not in refusal.error:
                refusal.error = PREFIX + refusal.error.removesuffix(SUFFIX) + SUFFIX
            raise

    stepfunctions._invoke_nested_start_execution = started
