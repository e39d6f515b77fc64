"""A network of which no way leads out but to the services of AWS that functions call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aws_cdk import Annotations, NestedStack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.policies import actions_of
from infra.constructs.suppressing import suppress
from infra.constructs.template import resource_of

GATEWAYS = ("dynamodb", "s3")
INTERFACES = {
    "events": "events",
    "lambda": "lambda",
    "secretsmanager": "secretsmanager",
    "ses": "email",
    "sqs": "sqs",
    "states": "states",
    "xray": "xray",
}
"""Of each service, as IAM calls it, what its endpoint is called."""

NOT_CALLED = {"kms", "logs"}
"""What a role is granted for others: services use the key, and Lambda writes the logs."""

HTTPS = 443


class PrivateNetwork(NestedStack):
    """`functions` run in a subnet in each of `zones`, and reach what their roles are granted by endpoints.

    There is no internet gateway and no NAT gateway. Endpoints take requests of this account about its own resources.
    A stack in the stack is made as a whole: no function is in it before there are all endpoints.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, zones: Sequence[str], functions: Iterable[PipelineFunction]
    ) -> None:
        super().__init__(scope, construct_id, description="The private network of the order pipeline")
        Annotations.of(self).acknowledge_warning("CloudFormation-Validate::W3010", "The settings name the zones.")
        inside = list(functions)
        # Nothing else is in it, nor next to it, so that any private addresses do.
        vpc = ec2.CfnVPC(self, "Vpc", cidr_block="10.0.0.0/22", enable_dns_support=True, enable_dns_hostnames=True)
        suppress(
            vpc,
            "AwsSolutions-VPC7",
            "There is no way but to endpoints, by security groups that let functions reach these alone. What is called "
            "by them, CloudTrail has.",
        )
        self._vpc = vpc.ref
        self._routes = ec2.CfnRouteTable(self, "Routes", vpc_id=self._vpc).ref
        self._subnets = [self._subnet(zone, f"10.0.{number}.0/24") for number, zone in enumerate(zones)]
        self._of_functions = ec2.CfnSecurityGroup(
            self,
            "FunctionsGroup",
            group_description="Functions reach endpoints.",
            vpc_id=self._vpc,
            # By address, for those of DynamoDB and S3 are not known before. There is no route but to endpoints.
            security_group_egress=[_to("0.0.0.0/0", "To endpoints")],
        )
        self._of_endpoints = ec2.CfnSecurityGroup(
            self,
            "EndpointsGroup",
            group_description="Functions reach endpoints, which reach nothing.",
            vpc_id=self._vpc,
            security_group_ingress=[
                ec2.CfnSecurityGroup.IngressProperty(
                    ip_protocol="tcp",
                    from_port=HTTPS,
                    to_port=HTTPS,
                    source_security_group_id=self._of_functions.attr_group_id,
                    description="From functions",
                )
            ],
            # An empty list would allow everything.
            security_group_egress=[_to("127.0.0.1/32", "To nowhere")],
        )
        for service in _called_by(inside):
            self._endpoint(service)
        for function in inside:
            self._take_in(function)

    def _subnet(self, zone: str, addresses: str) -> str:
        name = zone[-1].upper()
        subnet = ec2.CfnSubnet(
            self, f"Subnet{name}", vpc_id=self._vpc, availability_zone=zone, cidr_block=addresses
        ).ref
        ec2.CfnSubnetRouteTableAssociation(self, f"Routes{name}", subnet_id=subnet, route_table_id=self._routes)
        return subnet

    def _endpoint(self, service: str) -> None:
        """The endpoint of a service, as IAM calls it."""
        gateway = service in GATEWAYS
        ec2.CfnVPCEndpoint(
            self,
            f"{service.capitalize()}Endpoint",
            vpc_id=self._vpc,
            service_name=f"com.amazonaws.{self.region}.{service if gateway else INTERFACES[service]}",
            vpc_endpoint_type="Gateway" if gateway else "Interface",
            route_table_ids=[self._routes] if gateway else None,
            subnet_ids=None if gateway else self._subnets,
            security_group_ids=None if gateway else [self._of_endpoints.attr_group_id],
            private_dns_enabled=None if gateway else True,
            policy_document=_within(self.account),
        )

    def _take_in(self, function: PipelineFunction) -> None:
        resource = resource_of(function)
        assert isinstance(resource, lambda_.CfnFunction)
        resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=self._subnets, security_group_ids=[self._of_functions.attr_group_id]
        )
        # Lambda connects it to the network, by these and by none that the function may use itself. Source: AWS Lambda
        # Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC".
        function.own_role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=[
                    f"ec2:{action}"
                    for action in (
                        *("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces"),
                        *("DescribeSubnets", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"),
                    )
                ],
                resources=["*"],
                conditions={"Null": {"lambda:SourceFunctionArn": "true"}},
            )
        )


def _called_by(functions: Iterable[PipelineFunction]) -> list[str]:
    """The services that functions call."""
    granted = {action for function in functions for action in actions_of(function.own_role)}
    return sorted({action.partition(":")[0] for action in granted} - NOT_CALLED)


def _within(account: str) -> dict[str, Any]:
    """Whoever is of the account may do what else it may, with what is of the account."""
    ours = {"aws:PrincipalAccount": account, "aws:ResourceAccount": account}
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [{**allowed, "Condition": {"StringEquals": ours}}]}


def _to(addresses: str, what: str) -> ec2.CfnSecurityGroup.EgressProperty:
    return ec2.CfnSecurityGroup.EgressProperty(
        ip_protocol="tcp", from_port=HTTPS, to_port=HTTPS, cidr_ip=addresses, description=what
    )
