"""The private network: functions are in it, and no way leads out of it but to what they are granted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.functions import AUTHORIZER, FUNCTIONS
from infra.names import EMULATOR_ACCOUNT, EMULATOR_REGION
from tests.infra.template import Template, synthesized, with_aliases, written

ENDPOINTS = {
    **dict.fromkeys(["dynamodb", "s3"], "Gateway"),
    # Of SES `email`. What is sent to X-Ray is sent from where the function runs.
    **dict.fromkeys(["email", "events", "lambda", "secretsmanager", "sqs", "states", "xray"], "Interface"),
}
WAYS_OUT = {
    *("InternetGateway", "EgressOnlyInternetGateway", "NatGateway", "Route", "TransitGatewayAttachment"),
    *("VPCGatewayAttachment", "VPCPeeringConnection", "VPNGateway"),
}
CONNECTING = {
    *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces"),
    *("ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
}


@pytest.fixture(scope="module")
def inside(everything: Path) -> Template:
    """The template of the network, a stack in the application's."""
    [file] = everything.glob("*.nested.template.json")
    return Template(json.loads(file.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def around(everything: Path) -> Template:
    """The template of all the rest."""
    return synthesized(everything)


def test_it_has_a_subnet_in_each_zone_and_no_way_out(inside: Template) -> None:
    zones = {subnet["AvailabilityZone"] for subnet in inside.of_type("AWS::EC2::Subnet").values()}
    assert zones == {f"{EMULATOR_REGION}{zone}" for zone in "abc"}
    assert not any("MapPublicIpOnLaunch" in subnet for subnet in inside.of_type("AWS::EC2::Subnet").values())
    types = {resource["Type"] for resource in inside.raw["Resources"].values()}
    assert types & {f"AWS::EC2::{way}" for way in WAYS_OUT} == set()


def test_there_is_an_endpoint_for_each_service_that_functions_call_and_for_no_other(inside: Template) -> None:
    endpoints = inside.of_type("AWS::EC2::VPCEndpoint").values()
    prefix = f"com.amazonaws.{EMULATOR_REGION}."
    assert {each["ServiceName"].removeprefix(prefix): each["VpcEndpointType"] for each in endpoints} == ENDPOINTS
    for each in endpoints:
        assert each["VpcEndpointType"] == "Gateway" or each["PrivateDnsEnabled"] is True


def test_every_subnet_reaches_every_endpoint(inside: Template) -> None:
    subnets = set(inside.of_type("AWS::EC2::Subnet"))
    routes, _ = inside.only("AWS::EC2::RouteTable")
    joined = inside.of_type("AWS::EC2::SubnetRouteTableAssociation").values()
    assert {each["SubnetId"]["Ref"] for each in joined if each["RouteTableId"] == {"Ref": routes}} == subnets
    for endpoint in inside.of_type("AWS::EC2::VPCEndpoint").values():
        if endpoint["VpcEndpointType"] == "Gateway":
            assert endpoint["RouteTableIds"] == [{"Ref": routes}]
        else:
            assert {each["Ref"] for each in endpoint["SubnetIds"]} == subnets


def test_an_endpoint_takes_requests_of_this_account_about_this_account_alone(inside: Template) -> None:
    ours = {"aws:PrincipalAccount": EMULATOR_ACCOUNT, "aws:ResourceAccount": EMULATOR_ACCOUNT}
    for endpoint in inside.of_type("AWS::EC2::VPCEndpoint").values():
        [statement] = endpoint["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Condition"]) == ("Allow", {"StringEquals": ours})


def test_functions_reach_out_by_https_and_endpoints_are_reached_from_functions_alone(inside: Template) -> None:
    groups = inside.of_type("AWS::EC2::SecurityGroup")
    functions, endpoints = groups["FunctionsGroup"], groups["EndpointsGroup"]
    assert "SecurityGroupIngress" not in functions
    [out] = functions["SecurityGroupEgress"]
    assert (out["IpProtocol"], out["FromPort"], out["ToPort"]) == ("tcp", 443, 443)
    [into] = endpoints["SecurityGroupIngress"]
    assert (into["IpProtocol"], into["FromPort"], into["ToPort"]) == ("tcp", 443, 443)
    assert into["SourceSecurityGroupId"] == {"Fn::GetAtt": ["FunctionsGroup", "GroupId"]}
    assert [each["CidrIp"] for each in endpoints["SecurityGroupEgress"]] == ["127.0.0.1/32"]
    for endpoint in inside.of_type("AWS::EC2::VPCEndpoint").values():
        expected = [{"Fn::GetAtt": ["EndpointsGroup", "GroupId"]}]
        assert endpoint.get("SecurityGroupIds", expected) == expected


def test_every_function_runs_in_it_but_the_authorizer_which_asks_an_identity_provider(around: Template) -> None:
    functions = around.of_type("AWS::Lambda::Function")
    connected = {name: made["VpcConfig"] for name, made in functions.items() if "VpcConfig" in made}
    assert set(connected) == {spec.name for spec in FUNCTIONS} == set(functions) - {AUTHORIZER.name}
    for network in connected.values():
        assert len(network["SubnetIds"]) == 3
        assert ["FunctionsGroup" in written(each) for each in network["SecurityGroupIds"]] == [True]


def test_the_function_outside_is_granted_nothing_but_its_logs_and_traces(around: Template) -> None:
    granted = {
        action.partition(":")[0]
        for statement in around.statements(around.role_of(AUTHORIZER.name))
        for action in statement["Action"]
    }
    assert granted == {"logs", "xray"}


def test_lambda_may_connect_a_function_and_the_function_may_not(around: Template) -> None:
    for name, made in around.of_type("AWS::Lambda::Function").items():
        on_network = [
            statement
            for statement in around.statements(around.role_of(name))
            if any(action.startswith("ec2:") for action in statement["Action"])
        ]
        if "VpcConfig" not in made:
            assert on_network == []
            continue
        [statement] = on_network
        assert set(statement["Action"]) == CONNECTING
        assert statement["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}


def test_unless_it_is_set_functions_run_in_no_network_of_ours(assembly: Path) -> None:
    assert list(assembly.glob("*.nested.template.json")) == []
    template = with_aliases(assembly)
    assert not any("VpcConfig" in made for made in template.of_type("AWS::Lambda::Function").values())
    assert not any(
        resource["Type"].startswith(("AWS::EC2::", "AWS::CloudFormation::"))
        for resource in template.raw["Resources"].values()
    )
