"""How constructs appear in the template."""

from aws_cdk import CfnOutput, CfnResource, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct


def resource_of(construct: IConstruct) -> CfnResource:
    """The CloudFormation resource that `construct` is, or has behind it; TypeError if it has none of its own."""
    resource = construct if isinstance(construct, CfnResource) else construct.node.default_child
    if not isinstance(resource, CfnResource):
        raise TypeError(f"{construct.node.path} has no resource of its own")
    return resource


def name_in_template(construct: Construct, logical_id: str) -> None:
    """Give the resource behind `construct` a fixed id, which CloudFormation makes its physical name from."""
    resource_of(construct).override_logical_id(logical_id)


def created_after_policy(construct: Construct, role: iam.Role) -> None:
    """Say that the resource behind `construct` waits for the role's policy.

    CDK says so too, and names the role besides, which the resource refers to anyway: cfn-lint W3005.
    """
    policy = resource_of(role.node.find_child("DefaultPolicy"))
    resource_of(construct).add_override("DependsOn", [Stack.of(construct).get_logical_id(policy)])


def output(stack: Stack, name: str, value: str) -> None:
    """Let the stack tell those who use it a value, under a fixed name."""
    CfnOutput(stack, f"{name}Output", value=value).override_logical_id(name)
