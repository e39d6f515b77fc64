"""The order saga: a Standard workflow, started by every placed order."""

from collections.abc import Mapping
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

STATE_MACHINE_NAME = "OrderSaga"
DEFINITION = Path(__file__).parent.parent / "statemachines" / "order_saga.asl.json"


class OrderSaga(Construct):
    """The state machine of `definition`; `services` are the functions its placeholders stand for."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        definition: Path,
        services: Mapping[str, lambda_.IFunction],
        started_by: events.IEventBus,
    ) -> None:
        super().__init__(scope, construct_id)
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
            state_machine_name=STATE_MACHINE_NAME,
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(definition.read_text(encoding="utf-8")),
            definition_substitutions={name: service.function_arn for name, service in services.items()},
            role=role,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Logs",
                    # Step Functions writes only to groups of this prefix without asking for a larger policy.
                    log_group_name=f"/aws/vendedlogs/states/{STATE_MACHINE_NAME}",
                    retention=logs.RetentionDays.ONE_MONTH,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ERROR,
                include_execution_data=True,
            ),
        )
        created_after_policy(self.state_machine, role)
        self.dead_letters = DeadLetters(self, "DeadLetters", "SagaStart")
        start = rule(self, started_by, {"source": ["orders.ordering"], "detail-type": ["OrderPlaced"]})
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
            alarm_description="A saga stands still at the task that failed. Mend what ails it, then redrive it.",
            metric=self.state_machine.metric_failed(statistic="sum", period=Duration.minutes(1)),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
