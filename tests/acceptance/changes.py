"""Versions of functions: one that is broken is turned back; how fast one starts and answers with how much memory."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple

from handlers.intake.callers import OPERATE, READ, Caller
from infra.names import API_STAGE
from tests.acceptance.check import Evidence, NotSet, Wrong
from tests.acceptance.environment import SPECS, Environment
from tests.acceptance.restoring import published_version
from tests.acceptance.watch import Watch

LIVE = "live"
"""The alias of each function. Its own module is CDK's, which starts another process when it is imported."""

_FUNCTION = "api_query"
_SIZES = (256, 512, 1769)  # MB; with the last, a whole processor
_AT_ONCE, _CALLS = 5, 30
_BROKEN = "json.loads"
"""A handler that any runtime finds, and that takes no context: every call fails, and starting does not."""

_CALLS_AT_A_TIME, _CALL_EVERY_SECONDS = 40, 0.1
"""About four a second: a tenth of them reach the new version, and its alarm wants five of these in a minute."""

_ENDED = {"Succeeded", "Failed", "Stopped"}
_REPORTED = {
    name: re.compile(rf"(?:^|\t){name}: ([\d.]+) ms", re.MULTILINE)
    for name in ("Duration", "Init Duration", "Restore Duration")
}


class Call(NamedTuple):
    """How long a call took, and, if an instance was started or restored for it, how long that took; in ms."""

    duration: float
    start: float | None


def report_of(log: str) -> Call:
    """What the end of a call's log says.

    Raises:
        Wrong: there is no report.
    """
    [*_, line] = [line for line in log.splitlines() if line.startswith("REPORT ")] or [""]
    found = {name: match for name, pattern in _REPORTED.items() if (match := pattern.search(line))}
    if "Duration" not in found:
        raise Wrong(f"the log of a call ends without a report: {log[-200:]!r}")
    started = found.get("Init Duration") or found.get("Restore Duration")
    return Call(float(found["Duration"][1]), float(started[1]) if started else None)


def memory_sizes(environment: Environment, watch: Watch) -> Evidence:
    """Ask a question of versions of a function with more and less memory, of new instances and of warm ones."""
    client, function = environment.client("lambda"), environment.function_name(_FUNCTION)
    evidence: dict[str, str | float] = {"function": _FUNCTION}
    group = client.get_function_configuration(FunctionName=function)["LoggingConfig"]["LogGroup"]
    reporting = {"LogFormat": "Text", "LogGroup": group}  # as deployed, a call that goes well leaves no report
    for size in _SIZES:
        # A version of the same settings as the last would be that one.
        unique = {"MemorySize": size, "Description": f"acceptance, {size} MB", "LoggingConfig": reporting}
        with published_version(client, function, **unique) as version:
            with ThreadPoolExecutor(_AT_ONCE) as callers:
                first = list(callers.map(lambda _: _called(client, function, version), range(_AT_ONCE)))
            warm = []
            for _ in range(_CALLS):
                warm.append(_called(client, function, version))
                watch.pause(0, "all calls answered")
        starts = [call.start for call in first if call.start is not None]
        durations = [call.duration for call in warm if call.start is None]
        if not starts or not durations:
            raise Wrong(f"with {size} MB {len(starts)} calls were of new instances, and {len(durations)} of warm ones")
        evidence |= {
            f"{size} MB: start, median ms": median(starts),
            f"{size} MB: start, longest ms": max(starts),
            f"{size} MB: first call, median ms": median(call.duration for call in first if call.start is not None),
            f"{size} MB: warm call, median ms": median(durations),
            f"{size} MB: warm call, longest ms": max(durations),
        }
    return evidence


def _called(client: Any, function: str, version: str) -> Call:
    answer = client.invoke(FunctionName=function, Qualifier=version, LogType="Tail", Payload=json.dumps(_question()))
    content = answer["Payload"].read()
    if "FunctionError" in answer or json.loads(content)["statusCode"] != 200:
        raise Wrong(f"a question was answered with {content.decode()[:200]}")
    return report_of(base64.b64decode(answer["LogResult"]).decode())


def _question() -> Mapping[str, Any]:
    """An operator's question for all orders, as the gateway hands it on."""
    caller = Caller(subject="acceptance", client="acceptance", scopes=f"{READ} {OPERATE}")
    authorizer = {**caller.model_dump(), "shop": "", "principalId": caller.subject}
    path = f"/{API_STAGE}/orders"
    return {
        "resource": "/orders",
        "path": path,
        "httpMethod": "GET",
        "headers": None,
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "requestContext": {"authorizer": authorizer, "stage": API_STAGE, "path": path},
        "body": None,
        "isBase64Encoded": False,
    }


def turned_back(environment: Environment, watch: Watch) -> Evidence:
    """Deploy a broken version gradually, with questions asked meanwhile: its alarms ring, and it is turned back."""
    if not environment.settings.gradual:
        raise NotSet("gradual is not true in its settings")
    client, deploy = environment.client("lambda"), environment.client("codedeploy")
    function = environment.function_name(_FUNCTION)
    group = _group(environment)
    before = client.get_alias(FunctionName=function, Name=LIVE)["FunctionVersion"]
    caller = environment.caller("Operations", READ, OPERATE)
    with (
        published_version(client, function, Handler=_BROKEN) as broken,
        _alarms_of(environment, group, before, broken),
        _undone(client, function, before),
        _deployed(deploy, group, _revision(function, before, broken)) as deployment,
    ):
        answers: list[int] = []

        def ended() -> Any:
            now = deploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
            if now["status"] in _ENDED:
                return now
            for _ in range(_CALLS_AT_A_TIME):
                answers.append(caller.ask("GET", "/orders").status)
                watch.pause(_CALL_EVERY_SECONDS, "the deployment turned back")
            return None

        info = watch.until(ended, "the deployment turned back")
        if info["status"] == "Succeeded":
            raise Wrong(f"the broken version was deployed; {len(answers)} questions were answered with {set(answers)}")

        def back() -> bool:
            alias = client.get_alias(FunctionName=function, Name=LIVE)
            routed = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
            return alias["FunctionVersion"] == before and not routed

        watch.until(back, f"the alias at version {before} alone")
    why = info.get("errorInformation", {})
    return {
        "deployment": deployment,
        "status": info["status"],
        "because": f"{why.get('code')}: {why.get('message')}",
        "questions asked": len(answers),
        "answered with a server error": sum(status >= 500 for status in answers),
    }


def _revision(function: str, before: str, broken: str) -> Mapping[str, Any]:
    properties = {"Name": function, "Alias": LIVE, "CurrentVersion": before, "TargetVersion": broken}
    content = {"version": 0.0, "Resources": [{"function": {"Type": "AWS::Lambda::Function", "Properties": properties}}]}
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}}


def _group(environment: Environment) -> Any:
    """The deployment group of the function, as CodeDeploy describes it."""
    pages = (
        environment.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=environment.stack)
    )
    made = {
        (each["ResourceType"], each["LogicalResourceId"]): each["PhysicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
    }
    [application] = [name for (kind, _), name in made.items() if kind == "AWS::CodeDeploy::Application"]
    [group] = [
        name
        for (kind, logical_id), name in made.items()
        if kind == "AWS::CodeDeploy::DeploymentGroup" and SPECS[_FUNCTION].name in logical_id
    ]
    deploy = environment.client("codedeploy")
    return deploy.get_deployment_group(applicationName=application, deploymentGroupName=group)["deploymentGroupInfo"]


@contextmanager
def _deployed(deploy: Any, group: Any, revision: Mapping[str, Any]) -> Iterator[str]:
    """A deployment by CodeDeploy, for the time of the block: if it is under way at its end, it is turned back."""
    deployment = deploy.create_deployment(
        applicationName=group["applicationName"], deploymentGroupName=group["deploymentGroupName"], revision=revision
    )["deploymentId"]
    try:
        yield deployment
    finally:
        if deploy.get_deployment(deploymentId=deployment)["deploymentInfo"]["status"] not in _ENDED:
            deploy.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)


@contextmanager
def _undone(client: Any, function: str, version: str) -> Iterator[None]:
    """After the block the alias has that version, even if another was deployed for good."""
    try:
        yield
    finally:
        if client.get_alias(FunctionName=function, Name=LIVE)["FunctionVersion"] != version:
            client.update_alias(
                FunctionName=function,
                Name=LIVE,
                FunctionVersion=version,
                RoutingConfig={"AdditionalVersionWeights": {}},
            )


@contextmanager
def _alarms_of(environment: Environment, group: Any, version: str, other: str) -> Iterator[None]:
    """The alarms of the group, which look at one version, look at the other."""
    cloudwatch = environment.client("cloudwatch")
    names = [each["name"] for each in group["alarmConfiguration"]["alarms"]]
    before = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    accepted = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    alarms = [{name: value for name, value in alarm.items() if name in accepted and value != []} for alarm in before]
    try:
        for alarm in alarms:
            cloudwatch.put_metric_alarm(**_of_version(alarm, version, other))
        yield
    finally:
        for alarm in alarms:
            cloudwatch.put_metric_alarm(**alarm)


def _of_version(alarm: Any, version: str, other: str) -> Any:
    """The alarm with another version among the dimensions of its metrics."""
    match alarm:
        case {"Name": "ExecutedVersion", "Value": value} if value == version:
            return {"Name": "ExecutedVersion", "Value": other}
        case dict():
            return {name: _of_version(value, version, other) for name, value in alarm.items()}
        case list():
            return [_of_version(value, version, other) for value in alarm]
    return alarm
