"""Deploys a synthesized assembly into the emulator, by CloudFormation and then by the APIs for what that leaves out."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.functions import AUTHORIZER, FUNCTIONS
from infra.local.emulator.process import ACCOUNT, HOST, REGION, Emulator
from infra.local.transform import Template, for_emulator, of_type, zips
from infra.names import API_STAGE, STACK_NAME

BUCKET = "deployment"
TEMPLATE_KEY = "template.json"
SECONDS_TO_DEPLOY = 120.0


class DeploymentError(Exception):
    """The stack could not be created; the message names the resources that failed, and why."""


def deploy(emulator: Emulator, assembly: Path) -> dict[str, str]:
    """Create the stack of the assembly in the folder `assembly`, and return its outputs. Raises DeploymentError."""
    template: Template = json.loads((assembly / f"{STACK_NAME}.template.json").read_text(encoding="utf-8"))
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key, body in zips(assembly, STACK_NAME, template):
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    local = for_emulator(template, BUCKET, emulator.endpoint)
    s3.put_object(Bucket=BUCKET, Key=TEMPLATE_KEY, Body=json.dumps(local).encode())
    emulator.client("cloudformation").create_stack(
        StackName=STACK_NAME,
        TemplateURL=f"{emulator.endpoint}/{BUCKET}/{TEMPLATE_KEY}",
        Capabilities=["CAPABILITY_IAM"],
    )
    outputs = _created(emulator)
    _limit_concurrency(emulator, outputs)
    _set_up_tables(emulator, template)
    _create_archives(emulator, outputs["OrdersBusName"], template)
    _set_up_api(emulator, outputs["ApiId"], template)
    emulator.client("ses").verify_email_identity(EmailAddress=outputs["EmailSender"])
    return outputs


def outputs_of(emulator: Emulator) -> dict[str, str]:
    """The outputs of the stack deployed in `emulator`."""
    [stack] = emulator.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _created(emulator: Emulator) -> dict[str, str]:
    cloudformation = emulator.client("cloudformation")
    deadline = time.monotonic() + SECONDS_TO_DEPLOY
    while time.monotonic() < deadline:
        [stack] = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return outputs_of(emulator)
        if stack["StackStatus"] != "CREATE_IN_PROGRESS":
            break
        time.sleep(0.05)
    reasons = "\n".join(_failures(cloudformation)) or stack.get("StackStatusReason", "")
    raise DeploymentError(f"the stack {STACK_NAME} is {stack['StackStatus']}:\n{reasons}")


def _failures(cloudformation: Any) -> Iterator[str]:
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=STACK_NAME):
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


def _set_up_tables(emulator: Emulator, template: Template) -> None:
    dynamodb = emulator.client("dynamodb")
    for table in of_type(template, "AWS::DynamoDB::Table"):
        name = table["TableName"]
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=table["TimeToLiveSpecification"])
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification=table["PointInTimeRecoverySpecification"]
        )


def _create_archives(emulator: Emulator, bus_name: str, template: Template) -> None:
    client = emulator.client("events")
    for archive in of_type(template, "AWS::Events::Archive"):
        client.create_archive(
            ArchiveName=archive["ArchiveName"],
            EventSourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus_name}",
            EventPattern=json.dumps(archive["EventPattern"]),
            RetentionDays=archive["RetentionDays"],
        )


def _set_up_api(emulator: Emulator, api_id: str, template: Template) -> None:
    """Let methods validate bodies, and answer under the emulator's own address as a custom domain would."""
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
    client.create_domain_name(domainName=HOST)
    client.create_base_path_mapping(domainName=HOST, basePath=API_STAGE, restApiId=api_id, stage=API_STAGE)
