"""The sagas: Standard workflows, each started by an event about an order."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.queues import DeadLetterQueue
from infra.constructs.triggers import rule
from infra.constructs.workflow import Workflow


@dataclass(frozen=True)
class SagaSpec:
    """A saga: the state machine's name, its definition, the event that starts it, and what its own names begin with."""

    name: str
    definition: str
    started_by: str
    prefix: str


ORDER_SAGA = SagaSpec("OrderSaga", "order_saga.asl.json", "OrderPlaced", "Saga")
CANCELLATION = SagaSpec("OrderCancellation", "order_cancellation.asl.json", "CancellationRequested", "Cancellation")


class Saga(Construct):
    """The state machine that `spec` describes; `services` are the functions its placeholders stand for.

    It starts with the order id of each event on `bus` that it wants, replayed ones aside.
    """

    def __init__(
        self, scope: Construct, spec: SagaSpec, *, services: Mapping[str, lambda_.IFunction], bus: events.IEventBus
    ) -> None:
        super().__init__(scope, spec.prefix)
        self.state_machine = Workflow(
            self,
            name=spec.name,
            definition=spec.definition,
            services=services,
            on_failure="an execution stands still at the task that failed. Mend what ails it, then redrive it.",
        )
        self.dead_letters = DeadLetterQueue(self, "DeadLetterQueue", f"{spec.prefix.lower()}_start")
        start = rule(self, bus, {"source": ["orders.ordering"], "detail-type": [spec.started_by]})
        start.add_target(
            targets.SfnStateMachine(
                self.state_machine,
                input=events.RuleTargetInput.from_object(
                    {"order_id": events.EventField.from_path("$.detail.data.order_id")}
                ),
                dead_letter_queue=self.dead_letters,
            )
        )
