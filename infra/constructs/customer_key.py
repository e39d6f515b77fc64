"""The key of an environment that encrypts all that holds orders, and who may use it for what."""

from __future__ import annotations

from typing import Any

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.encrypting import encrypt
from infra.constructs.keeping import KEPT
from infra.constructs.key_use import needed_for
from infra.constructs.policies import actions_of, allow
from infra.constructs.private_bucket import AccessLogsBucket
from infra.constructs.suppressing import suppress
from infra.names import PRODUCT, application_stack

ENCRYPT = ["kms:Decrypt", "kms:GenerateDataKey"]


class CustomerKey(kms.Key):
    """Turned once a year, and kept: without it, nothing that it encrypted can be read.

    Its policy names services, and leaves everybody else in the account to policies of their own: so it can be made
    before all roles.
    """

    def __init__(self, scope: Construct, construct_id: str, environment: str) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"All that holds orders of the order pipeline {environment}",
            enable_key_rotation=True,
            removal_policy=KEPT,
        )
        stack = Stack.of(scope)
        buses = stack.format_arn(service="events", resource="event-bus", resource_name=f"{PRODUCT}-{environment}-*")
        queues = stack.format_arn(service="sqs", resource=f"{application_stack(environment)}-*")
        groups = stack.format_arn(
            service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        # EventBridge asks whether the key is symmetric, and names nothing. Each other call is about a bus or a queue.
        self._let("events", ["kms:DescribeKey"])
        self._let("events", [*ENCRYPT, "kms:ReEncrypt*"], ArnLike=_context("aws:events:event-bus:arn", buses))
        self._let("events", ENCRYPT, ArnLike=_context("aws:sqs:arn", queues))
        self._let(
            f"logs.{stack.region}",
            ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            ArnLike=_context("aws:logs:arn", groups),
        )
        # It delivers the logs of state machines.
        self._let("delivery.logs", ["kms:Decrypt*"], StringEquals=_context("SourceArn", _any_log(stack)))

    def encrypt_all(self, scope: Construct) -> None:
        """Encrypt all that holds orders below `scope`, and let the roles and the policies there use the key for it."""
        for each in scope.node.find_all():
            if not isinstance(each.node.scope, AccessLogsBucket):
                encrypt(each, self.key_arn)
            if isinstance(each, sfn.StateMachine):
                self._let_encrypt_executions(each)
            elif isinstance(each, iam.Role | iam.ManagedPolicy):
                self._let_use(each)

    def _let(self, service: str, actions: list[str], **conditions: dict[str, Any]) -> None:
        """Let a service of AWS use the key."""
        principal = iam.ServicePrincipal(f"{service}.amazonaws.com")
        self.add_to_resource_policy(
            iam.PolicyStatement(principals=[principal], actions=actions, resources=["*"], conditions=conditions or None)
        )

    def _let_use(self, user: iam.Role | iam.ManagedPolicy) -> None:
        """Let a role, or who has a policy, use the key by the services through which it reaches what is encrypted."""
        for service, actions in needed_for(actions_of(user)).items():
            via = {"StringEquals": {"kms:ViaService": f"{service}.{Stack.of(user).region}.amazonaws.com"}}
            allow(user, iam.PolicyStatement(actions=actions, resources=[self.key_arn], conditions=via))
            for action in actions:
                if action.endswith("*"):
                    why = "DynamoDB needs every kind of it: on this key alone, and by way of DynamoDB alone."
                    suppress(user, "AwsSolutions-IAM5", why, ending=f"Action::{action}")

    def _let_encrypt_executions(self, machine: sfn.StateMachine) -> None:
        """Source: AWS Step Functions Developer Guide, "Data at rest encryption in Step Functions"."""
        stack, resource = Stack.of(machine), machine.node.default_child
        assert isinstance(resource, sfn.CfnStateMachine)
        own = stack.format_arn(
            service="states",
            resource="stateMachine",
            resource_name=resource.state_machine_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for actions, context in (
            (ENCRYPT, _context("aws:states:stateMachineArn", own)),
            (["kms:GenerateDataKey"], _context("SourceArn", _any_log(stack))),
        ):
            machine.role.add_to_principal_policy(
                iam.PolicyStatement(actions=actions, resources=[self.key_arn], conditions={"StringEquals": context})
            )


def _context(key: str, value: str) -> dict[str, str]:
    """A condition on what the data is encrypted for: a service names it, and cannot decrypt by another name."""
    return {f"kms:EncryptionContext:{key}": value}


def _any_log(stack: Stack) -> str:
    return stack.format_arn(service="logs", resource="*", arn_format=ArnFormat.NO_RESOURCE_NAME)
