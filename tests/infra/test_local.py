"""The stack in the emulator: how functions run there, and that its IAM holds them to their roles."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from handlers.intake.parties import Parties
from infra.function_spec import FunctionSpec, Rows
from infra.functions import FUNCTIONS
from infra.local.deploy import DeploymentError
from infra.local.emulator.process import REGION
from infra.local.pipeline import Pipeline, pipeline
from infra.settings.environment import Settings

BY_KEY = {function.key: function for function in FUNCTIONS}
KEY = {"PK": {"S": "order#1"}, "SK": {"S": "event#0000000001"}}
ANY = {"Source": "orders.ordering", "DetailType": "OrderPlaced", "Detail": "{}"}

# What a function may be granted, by the action, or the name of the grant's class: how to try it.
TRIES: dict[str, Callable[[Callable[[str], Any], Pipeline], object]] = {
    "dynamodb:PutItem": lambda client, on: client("dynamodb").put_item(TableName=on.table_name, Item=KEY),
    "dynamodb:GetItem": lambda client, on: client("dynamodb").get_item(TableName=on.table_name, Key=KEY),
    "dynamodb:DeleteItem": lambda client, on: client("dynamodb").delete_item(TableName=on.table_name, Key=KEY),
    "dynamodb:UpdateItem": lambda client, on: client("dynamodb").update_item(TableName=on.table_name, Key=KEY),
    "dynamodb:Scan": lambda client, on: client("dynamodb").scan(TableName=on.table_name),
    "dynamodb:BatchWriteItem": lambda client, on: client("dynamodb").batch_write_item(
        RequestItems={on.table_name: [{"DeleteRequest": {"Key": KEY}}]}
    ),
    "dynamodb:BatchGetItem": lambda client, on: client("dynamodb").batch_get_item(
        RequestItems={on.table_name: {"Keys": [KEY]}}
    ),
    "dynamodb:Query": lambda client, on: client("dynamodb").query(
        TableName=on.table_name, KeyConditionExpression="PK = :pk", ExpressionAttributeValues={":pk": KEY["PK"]}
    ),
    "dynamodb:ConditionCheckItem": lambda client, on: client("dynamodb").transact_write_items(
        TransactItems=[
            {
                "ConditionCheck": {
                    "TableName": on.table_name,
                    "Key": KEY,
                    "ConditionExpression": "attribute_type(PK, :s)",
                    "ExpressionAttributeValues": {":s": {"S": "S"}},
                }
            }
        ]
    ),
    "PublishEvents": lambda client, on: client("events").put_events(Entries=[{**ANY, "EventBusName": on.orders_bus}]),
    "integrates": lambda client, on: client("events").put_events(Entries=[{**ANY, "EventBusName": on.intake_bus}]),
    "SendEmail": lambda client, on: client("sesv2").send_email(
        FromEmailAddress=on.outputs["EmailSender"],
        Destination={"ToAddresses": ["someone@example.com"]},
        Content={"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "b"}}}},
    ),
    "calls": lambda client, on: client("lambda").invoke(FunctionName=on.function_name("payments_service")),
}


def granted(function: FunctionSpec) -> set[str]:
    names: set[str] = set()
    for grant in function.grants:
        names |= set(grant.actions) if isinstance(grant, Rows) else {type(grant).__name__} & TRIES.keys()
    return names


def invoke(on: Pipeline, key: str, **event: str) -> tuple[Any, bool]:
    """What the function answered, and whether that was an error."""
    answer = on.client("lambda").invoke(FunctionName=on.function_name(key), Payload=json.dumps(event))
    return json.loads(answer["Payload"].read()), "FunctionError" in answer


@pytest.mark.parametrize("key", BY_KEY)
def test_a_function_is_held_to_its_role(deployed: Pipeline, key: str) -> None:
    answer, _ = invoke(deployed, key, do="environment")
    environment = answer["environment"]
    session = boto3.Session(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        environment.get("AWS_SESSION_TOKEN"),
        REGION,
    )

    def as_function(service: str) -> Any:
        return session.client(service, endpoint_url=deployed.endpoint)  # type: ignore[call-overload]

    allowed = {name for name, attempt in TRIES.items() if not denied(attempt, as_function, deployed)}
    assert allowed == granted(BY_KEY[key])


def denied(attempt: Callable[[Callable[[str], Any], Pipeline], object], client: Any, on: Pipeline) -> bool:
    try:
        attempt(client, on)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"AccessDeniedException", "AccessDenied"}:
            raise
        return True
    return False


def test_an_exceptions_class_is_the_error_that_lambda_reports(deployed: Pipeline) -> None:
    answer, failed = invoke(deployed, "shipping_service", do="refuse")
    assert failed
    assert (answer["errorType"], answer["errorMessage"]) == ("Refused", "because")
    assert "handler" in answer["stackTrace"][-1]


def test_a_refusal_leaves_the_process_alive_and_a_crash_does_not(deployed: Pipeline) -> None:
    first, _ = invoke(deployed, "shipping_service", do="environment")
    invoke(deployed, "shipping_service", do="refuse")
    second, _ = invoke(deployed, "shipping_service", do="environment")
    assert first["pid"] == second["pid"]
    crash, failed = invoke(deployed, "shipping_service", do="exit")
    assert failed
    assert crash["errorType"] == "Runtime.ExitError"
    third, _ = invoke(deployed, "shipping_service", do="environment")
    assert third["pid"] != first["pid"]


def test_a_function_sees_its_package_and_no_other_library(deployed: Pipeline) -> None:
    answer, _ = invoke(deployed, "order_view", do="environment")
    first, second, *others = answer["path"]
    assert first == answer["environment"]["LAMBDA_TASK_ROOT"]
    assert second == f"{first}/opt/python"
    assert invoke(deployed, "order_view", do="library") == (f"{second}/library.py", False)
    assert not any("site-packages" in path for path in others)
    assert answer["environment"]["AWS_ENDPOINT_URL"] == deployed.endpoint


@pytest.mark.parametrize("key", ["order_intake", "file_import", "api_query"])
def test_a_function_at_a_door_finds_who_is_let_in(deployed: Pipeline, settings: Settings, key: str) -> None:
    answer, failed = invoke(deployed, key, do="parties")
    assert not failed
    assert Parties.model_validate_json(answer) == settings.parties


def test_the_context_is_lambdas(deployed: Pipeline) -> None:
    context, _ = invoke(deployed, "outbox", do="context")
    name = deployed.function_name("outbox")
    assert context["function_name"] == name
    assert context["invoked_function_arn"].endswith(f":function:{name}")
    assert int(context["memory_limit_in_mb"]) == BY_KEY["outbox"].memory
    assert 0 < context["remaining"] <= BY_KEY["outbox"].timeout * 1000
    assert context["aws_request_id"]
    assert context["log_group_name"]


def test_what_templates_leave_out_is_set_all_the_same(deployed: Pipeline) -> None:
    functions = deployed.client("lambda")
    for function in FUNCTIONS:
        limit = functions.get_function_concurrency(FunctionName=deployed.function_name(function.key))
        assert limit["ReservedConcurrentExecutions"] == function.local_concurrency
    dynamodb = deployed.client("dynamodb")
    ttl = dynamodb.describe_time_to_live(TableName=deployed.table_name)["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = dynamodb.describe_continuous_backups(TableName=deployed.table_name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    [archive] = deployed.client("events").list_archives()["Archives"]
    assert archive["EventSourceArn"].endswith(f"event-bus/{deployed.orders_bus}")


def test_every_output_leads_somewhere(deployed: Pipeline) -> None:
    functions, sqs = deployed.client("lambda"), deployed.client("sqs")
    for function in FUNCTIONS:
        functions.get_function(FunctionName=deployed.function_name(function.key))
    subscribers = [function.key for function in FUNCTIONS if function.queued]
    queues = set(deployed.all_queue_urls.values())
    for url in queues:
        sqs.get_queue_attributes(QueueUrl=url)
    assert {*map(deployed.queue_url, subscribers)} < queues
    assert {*map(deployed.dead_letter_queue_url, [*subscribers, "outbox"])} < queues


def test_a_stack_that_cannot_be_created_says_which_resource_failed_and_why(assembly: Path, tmp_path: Path) -> None:
    broken = tmp_path / "cdk.out"
    broken.mkdir()
    for file in assembly.iterdir():
        (broken / file.name).symlink_to(file)
    path = broken / "OrderPipeline.template.json"
    template = json.loads(path.read_text())
    template["Resources"]["OrderViewQueue"]["Properties"]["VisibilityTimeout"] = 43201
    path.unlink()
    path.write_text(json.dumps(template))
    with pytest.raises(DeploymentError, match=r"OrderViewQueue: .*VisibilityTimeout"), pipeline(assembly=broken):
        pass
