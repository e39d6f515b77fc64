"""What the sweep needs of the pipeline around it."""

from collections.abc import Iterable

from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.saga import CANCELLATION, ORDER_SAGA, Saga
from infra.settings.environment import SweepSettings

_ARN_OF = {ORDER_SAGA: "ORDER_SAGA_ARN", CANCELLATION: "CANCELLATION_SAGA_ARN"}


def let_sweep(
    function: PipelineFunction, sagas: Iterable[Saga], queued: Iterable[PipelineFunction], settings: SweepSettings
) -> None:
    """Let `function` start the sagas, and see whether one of `queued`, the functions behind queues, is paused."""
    for saga in sagas:
        function.add_environment(_ARN_OF[saga.spec], saga.state_machine.live_arn)
        # It starts what the alias points to; the right to start it is one on the state machine.
        function.allow(["states:StartExecution"], [saga.state_machine.state_machine_arn])
    by_key = sorted(queued, key=lambda each: each.spec.key)
    function.add_environment("QUEUED_FUNCTIONS", " ".join(each.function_name for each in by_key))
    # It takes no resource: what feeds an alias is not among the mappings of its function.
    function.allow(["lambda:ListEventSourceMappings"], ["*"])
    function.add_environment("OVERDUE_AFTER_MINUTES", str(settings.after_minutes))
