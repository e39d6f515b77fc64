"""A state machine with a role of its own, and its logs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.keeping import KEPT
from infra.constructs.suppressing import suppress
from infra.constructs.template import created_after_policy
from infra.constructs.trust import assumed_by

LIVE = "live"
"""The alias of each state machine that whatever starts it starts: the version that is deployed."""

FOLDER = Path(__file__).parents[2] / "statemachines"


def definition_in(file: str) -> str:
    """The definition in a file of `statemachines/`, its placeholders not filled."""
    return (FOLDER / file).read_text(encoding="utf-8")


class Workflow(sfn.StateMachine):
    """The workflow `name` of the stack, under an alias.

    Its tasks call those of `functions`, and start those of `workflows`, whose placeholders the definition has.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        name: str,
        definition: str,
        functions: Mapping[str, lambda_.IFunction],
        workflows: Mapping[str, Workflow] | None = None,
        express: bool = False,
    ) -> None:
        short_name, name = name, f"{Stack.of(scope).stack_name}-{name}"
        called = {name: each.function_arn for name, each in functions.items() if f"${{{name}}}" in definition}
        started = {name: each for name, each in (workflows or {}).items() if f"${{{name}}}" in definition}
        own_arn = Stack.of(scope).format_arn(
            service="states", resource="stateMachine", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        role = iam.Role(scope, "Role", assumed_by=assumed_by(scope, "states", source=own_arn))
        role.add_to_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=list(called.values())))
        if started:
            # To start what an alias points to is a right on the state machine.
            machines = [each.state_machine_arn for each in started.values()]
            role.add_to_policy(iam.PolicyStatement(actions=["states:StartExecution"], resources=machines))
        super().__init__(
            scope,
            "StateMachine",
            state_machine_name=name,
            state_machine_type=sfn.StateMachineType.EXPRESS if express else sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(definition),
            definition_substitutions={**called, **{name: each.live_arn for name, each in started.items()}},
            role=role,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    scope,
                    "Logs",
                    # Step Functions writes only to groups of this prefix without asking for a larger policy.
                    log_group_name=f"/aws/vendedlogs/states/{name}",
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ERROR,
                include_execution_data=True,
            ),
        )
        created_after_policy(self, role)
        suppress(
            self,
            "AwsSolutions-SF1",
            "What fails is logged. Which steps an order took, the event log says, and of a Standard workflow its "
            "history; a line for each would cost more than the step.",
        )
        suppress(
            role,
            "AwsSolutions-IAM5",
            "X-Ray's actions, and those by which logs are delivered, take no resource.",
            ending="Resource::*",
        )
        self.short_name = short_name
        self.live_arn: str = self._publish(scope)

    def _publish(self, scope: Construct) -> str:
        """Publish the definition as a version, and let the alias start it; returns the alias's ARN.

        A version that is replaced stays: executions under way, and those redriven, end on the one they began with.
        """
        version = sfn.CfnStateMachineVersion(
            scope,
            "Version",
            state_machine_arn=self.state_machine_arn,
            state_machine_revision_id=self.state_machine_revision_id,
        )
        version.apply_removal_policy(KEPT)
        alias = sfn.CfnStateMachineAlias(
            scope,
            "Live",
            name=LIVE,
            deployment_preference=sfn.CfnStateMachineAlias.DeploymentPreferenceProperty(
                type="ALL_AT_ONCE", state_machine_version_arn=version.attr_arn
            ),
        )
        return alias.ref
