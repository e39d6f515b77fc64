"""What the policies say that constructs have made so far."""

from aws_cdk import aws_iam as iam
from constructs import IConstruct


def actions_of(principal: IConstruct) -> set[str]:
    """The actions that a role is allowed, or who has a managed policy."""
    policy = principal if isinstance(principal, iam.ManagedPolicy) else principal.node.try_find_child("DefaultPolicy")
    if not isinstance(policy, iam.Policy | iam.ManagedPolicy):
        return set()
    named = [statement["Action"] for statement in policy.document.to_json()["Statement"]]
    return {action for each in named for action in ([each] if isinstance(each, str) else each)}


def allow(principal: iam.Role | iam.ManagedPolicy, statement: iam.PolicyStatement) -> None:
    """Add a statement to a role, or to a managed policy."""
    if isinstance(principal, iam.Role):
        principal.add_to_principal_policy(statement)
    else:
        principal.add_statements(statement)
