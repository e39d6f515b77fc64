"""The sagas: Standard workflows, each started by an event about an order."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from events.model import DomainEvent
from events.ordering import CancellationRequested, OrderPlaced
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.rules import rule, rule_role
from infra.constructs.template import resource_of
from infra.constructs.workflow import Workflow


@dataclass(frozen=True)
class SagaSpec:
    """A saga: the state machine's name, its definition, the event that starts it, and the prefix of its ids."""

    name: str
    definition: str
    started_by: type[DomainEvent]
    prefix: str


ORDER_SAGA = SagaSpec("OrderSaga", "order_saga.asl.json", OrderPlaced, "Saga")
CANCELLATION = SagaSpec("OrderCancellation", "order_cancellation.asl.json", CancellationRequested, "Cancellation")


class Saga(Construct):
    """The state machine that `spec` describes. Each event on `bus` that it wants starts it with the event's order id.

    Replayed events do not. `functions` are those that its tasks may call, by their placeholders.
    """

    def __init__(
        self, scope: Construct, spec: SagaSpec, *, functions: Mapping[str, lambda_.IFunction], bus: events.IEventBus
    ) -> None:
        super().__init__(scope, spec.prefix)
        self.spec = spec
        self.state_machine = Workflow(
            self,
            name=spec.name,
            definition=spec.definition,
            functions=functions,
            on_failure="an execution stopped at the task that failed. Repair the cause, then redrive the execution.",
        )
        self.dead_letters = DeadLetterQueue(self, "DeadLetterQueue", f"{spec.prefix.lower()}_start")
        start = rule(self, bus, {"source": ["orders.ordering"], "detail-type": [spec.started_by.__name__]})
        start.add_target(
            targets.SfnStateMachine(
                self.state_machine,
                input=events.RuleTargetInput.from_object(
                    {"order_id": events.EventField.from_path("$.detail.data.order_id")}
                ),
                dead_letter_queue=self.dead_letters,
                role=rule_role(self, "RuleRole", bus),
            )
        )
        # The target starts what the alias points to; the right to start it is one on the state machine.
        resource_of(start).add_property_override("Targets.0.Arn", self.state_machine.live_arn)
