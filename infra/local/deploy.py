"""Deploys a synthesized assembly into the emulator, by CloudFormation and then by the APIs for what that leaves out."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.functions import AUTHORIZER, FUNCTIONS
from infra.local.emulator.process import ACCOUNT, HOST, REGION, Emulator
from infra.local.left_out import Template, archive_name, named
from infra.local.transform import for_emulator, of_type, zips
from infra.names import API_STAGE, application_stack, data_stack

BUCKET = "deployment"
SECONDS_TO_DEPLOY = 120.0


class DeploymentError(Exception):
    """The stack could not be created; the message names the resources that failed, and why."""


def deploy(emulator: Emulator, assembly: Path, environment: str) -> dict[str, str]:
    """Create the stacks of an environment from the assembly in the folder `assembly`, and return their outputs.

    Raises:
        DeploymentError: one of them could not be created.
    """
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    data = create_stack(emulator, assembly, data_stack(environment))
    _set_up_tables(emulator, data_stack(environment), data)
    application = create_stack(emulator, assembly, application_stack(environment))
    outputs = outputs_of(emulator, environment)
    _create_archives(emulator, data_stack(environment), outputs["OrdersBusName"], data)
    _limit_concurrency(emulator, outputs)
    _set_up_api(emulator, outputs["ApiId"], application)
    emulator.client("ses").verify_email_identity(EmailAddress=outputs["EmailSender"])
    return outputs


def create_stack(emulator: Emulator, assembly: Path, stack: str) -> Template:
    """Create one stack of the assembly; returns its template, as it is for AWS.

    Raises:
        DeploymentError: it could not be created.
    """
    template: Template = json.loads((assembly / f"{stack}.template.json").read_text(encoding="utf-8"))
    s3 = emulator.client("s3")
    for key, body in zips(assembly, stack, template):
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    local = for_emulator(template, stack, BUCKET, emulator.endpoint)
    s3.put_object(Bucket=BUCKET, Key=f"{stack}.json", Body=json.dumps(local).encode())
    emulator.client("cloudformation").create_stack(
        StackName=stack,
        TemplateURL=f"{emulator.endpoint}/{BUCKET}/{stack}.json",
        Capabilities=["CAPABILITY_IAM"],
    )
    _wait(emulator, stack, until="CREATE_COMPLETE")
    return template


def delete_stack(emulator: Emulator, stack: str) -> None:
    """Delete a stack that is there; what it keeps stays.

    Raises:
        DeploymentError: it could not be deleted.
    """
    cloudformation = emulator.client("cloudformation")
    [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    cloudformation.delete_stack(StackName=stack)
    _wait(emulator, found["StackId"], until="DELETE_COMPLETE")


def outputs_of(emulator: Emulator, environment: str) -> dict[str, str]:
    """The outputs of the stacks of an environment that is deployed in `emulator`."""
    describe = emulator.client("cloudformation").describe_stacks
    return {
        output["OutputKey"]: output["OutputValue"]
        for name in (data_stack(environment), application_stack(environment))
        for output in describe(StackName=name)["Stacks"][0].get("Outputs", [])
    }


def _wait(emulator: Emulator, stack: str, *, until: str) -> None:
    cloudformation = emulator.client("cloudformation")
    deadline = time.monotonic() + SECONDS_TO_DEPLOY
    while time.monotonic() < deadline:
        [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        if found["StackStatus"] == until:
            return
        if not found["StackStatus"].endswith("_IN_PROGRESS"):
            break
        time.sleep(0.05)
    reasons = "\n".join(_failures(cloudformation, stack)) or found.get("StackStatusReason", "")
    raise DeploymentError(f"the stack {stack} is {found['StackStatus']}:\n{reasons}")


def _failures(cloudformation: Any, stack: str) -> Iterator[str]:
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
        for event in page["StackEvents"]:
            if event["ResourceStatus"].endswith("_FAILED"):
                yield f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"


def _limit_concurrency(emulator: Emulator, outputs: Mapping[str, str]) -> None:
    """Without a limit, a burst starts a process for each call."""
    client = emulator.client("lambda")
    for function in (*FUNCTIONS, AUTHORIZER):
        client.put_function_concurrency(
            FunctionName=outputs[f"{function.name}FunctionName"],
            ReservedConcurrentExecutions=function.local_concurrency,
        )


def _set_up_tables(emulator: Emulator, stack: str, template: Template) -> None:
    dynamodb, cloudformation = emulator.client("dynamodb"), emulator.client("cloudformation")
    for logical_id, table in named(template, "AWS::DynamoDB::Table"):
        made = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        name = made["StackResourceDetail"]["PhysicalResourceId"]
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=table["TimeToLiveSpecification"])
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification=table["PointInTimeRecoverySpecification"]
        )


def _create_archives(emulator: Emulator, stack: str, bus_name: str, template: Template) -> None:
    client = emulator.client("events")
    for logical_id, archive in named(template, "AWS::Events::Archive"):
        client.create_archive(
            ArchiveName=archive_name(stack, logical_id),
            EventSourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus_name}",
            EventPattern=json.dumps(archive["EventPattern"]),
            RetentionDays=archive["RetentionDays"],
        )


def _set_up_api(emulator: Emulator, api_id: str, template: Template) -> None:
    """Let methods validate bodies. The first API answers under the emulator's own address, as a custom domain would."""
    client = emulator.client("apigateway")
    [settings] = of_type(template, "AWS::ApiGateway::RequestValidator")
    validator = client.create_request_validator(
        restApiId=api_id, name="body", validateRequestBody=settings["ValidateRequestBody"]
    )
    for resource in client.get_resources(restApiId=api_id, limit=500)["items"]:
        for method in resource.get("resourceMethods", {}):
            if method == "POST":
                client.update_method(
                    restApiId=api_id,
                    resourceId=resource["id"],
                    httpMethod=method,
                    patchOperations=[{"op": "replace", "path": "/requestValidatorId", "value": validator["id"]}],
                )
    if not client.get_domain_names()["items"]:
        client.create_domain_name(domainName=HOST)
        client.create_base_path_mapping(domainName=HOST, basePath=API_STAGE, restApiId=api_id, stage=API_STAGE)
