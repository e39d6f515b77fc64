"""The sagas: Standard workflows, each started by an event about an order, and the express lane of the order saga."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from events.model import DomainEvent
from events.ordering import CancellationRequested, OrderPlaced
from infra.constructs.express_saga import SAGA_PLACEHOLDER, express_lane
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.rules import rule, rule_role
from infra.constructs.suppressing import suppress
from infra.constructs.template import resource_of
from infra.constructs.workflow import Workflow, definition_in


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
    """The state machine that `spec` describes. `functions` are those that its tasks may call, by their placeholders."""

    def __init__(self, scope: Construct, spec: SagaSpec, *, functions: Mapping[str, lambda_.IFunction]) -> None:
        super().__init__(scope, spec.prefix)
        self.spec = spec
        self.state_machine = Workflow(
            self,
            name=spec.name,
            definition=definition_in(spec.definition),
            functions=functions,
        )
        self.dead_letters = DeadLetterQueue(self, "DeadLetterQueue", f"{spec.prefix.lower()}_start")
        suppress(self.dead_letters, "AwsSolutions-SQS3", "It is the dead-letter queue of the rule.")

    def start_on(self, bus: events.IEventBus, first: Workflow) -> None:
        """Let each event on `bus` that the saga is for start `first` with its order id. Replayed ones do not."""
        start = rule(self, bus, {"source": ["orders.ordering"], "detail-type": [self.spec.started_by.__name__]})
        start.add_target(
            targets.SfnStateMachine(
                first,
                input=events.RuleTargetInput.from_object(
                    {"order_id": events.EventField.from_path("$.detail.data.order_id")}
                ),
                dead_letter_queue=self.dead_letters,
                role=rule_role(self, "RuleRole", bus),
            )
        )
        # The target starts what the alias points to; the right to start it is one on the state machine.
        resource_of(start).add_property_override("Targets.0.Arn", first.live_arn)


class ExpressLane(Construct):
    """The Express workflow of the forward steps of the order saga `saga`, to which it hands over what does not go well.

    `functions` are those that its tasks may call, by their placeholders.
    """

    def __init__(self, scope: Construct, saga: Saga, *, functions: Mapping[str, lambda_.IFunction]) -> None:
        super().__init__(scope, f"{ORDER_SAGA.prefix}Express")
        self.state_machine = Workflow(
            self,
            name=f"{ORDER_SAGA.name}Express",
            definition=json.dumps(express_lane(json.loads(definition_in(ORDER_SAGA.definition))), indent=2),
            functions=functions,
            workflows={SAGA_PLACEHOLDER: saga.state_machine},
            express=True,
        )
