"""The sagas: Standard workflows, each started by an event about an order."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.queues import DeadLetters
from infra.template import created_after_policy
from infra.triggers import rule

FOLDER = Path(__file__).parent.parent / "statemachines"


@dataclass(frozen=True)
class SagaSpec:
    """A saga: the state machine's name, its definition, the event that starts it, and what its own names begin with."""

    name: str
    definition: Path
    started_by: str
    prefix: str


ORDER_SAGA = SagaSpec("OrderSaga", FOLDER / "order_saga.asl.json", "OrderPlaced", "Saga")
CANCELLATION = SagaSpec(
    "OrderCancellation", FOLDER / "order_cancellation.asl.json", "CancellationRequested", "Cancellation"
)


class Saga(Construct):
    """The state machine that `spec` describes; `services` are the functions its placeholders stand for.

    It starts with the order id of each event on `bus` that it wants, replayed ones aside.
    """

    def __init__(
        self, scope: Construct, spec: SagaSpec, *, services: Mapping[str, lambda_.IFunction], bus: events.IEventBus
    ) -> None:
        super().__init__(scope, spec.prefix)
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[service.function_arn for service in services.values()],
            )
        )
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=spec.name,
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(spec.definition.read_text(encoding="utf-8")),
            definition_substitutions={name: service.function_arn for name, service in services.items()},
            role=role,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Logs",
                    # Step Functions writes only to groups of this prefix without asking for a larger policy.
                    log_group_name=f"/aws/vendedlogs/states/{spec.name}",
                    retention=logs.RetentionDays.ONE_MONTH,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ERROR,
                include_execution_data=True,
            ),
        )
        created_after_policy(self.state_machine, role)
        self.dead_letters = DeadLetters(self, "DeadLetters", f"{spec.prefix.lower()}_start")
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
        cloudwatch.Alarm(
            self,
            "Failed",
            alarm_description=f"{spec.name} stands still at the task that failed. Mend what ails it, then redrive it.",
            metric=self.state_machine.metric_failed(statistic="sum", period=Duration.minutes(1)),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
