"""The clock as a function's trigger."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.template import created_after_policy
from infra.constructs.trust import assumed_by
from infra.function_spec import Schedule


def call_regularly(function: PipelineFunction, schedule: Schedule) -> None:
    """Trigger `function` by the clock. It has no dead-letter queue: of a call that is lost, the next one does all."""
    scope = Construct(function, "Schedule")
    # Scheduler names the group as the source, and nothing narrower. Source: Amazon EventBridge Scheduler User Guide,
    # "Confused deputy prevention".
    group = Stack.of(scope).format_arn(service="scheduler", resource="schedule-group", resource_name="default")
    role = iam.Role(scope, "Role", assumed_by=assumed_by(scope, "scheduler", source=group))
    called = function.live.function_arn
    role.add_to_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[called]))
    made = scheduler.CfnSchedule(
        scope,
        "Schedule",
        schedule_expression=schedule.expression,
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=called,
            role_arn=role.role_arn,
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=0),
        ),
    )
    created_after_policy(made, role)
