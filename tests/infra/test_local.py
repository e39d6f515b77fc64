"""The stack in the emulator: how functions run there, and that its IAM holds them to their roles."""

import json
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from handlers.intake.parties import Parties
from infra.function_spec import FunctionSpec, Rows, VaultItems
from infra.functions import FUNCTIONS
from infra.local.deploy import DeploymentError
from infra.local.emulator.process import REGION
from infra.local.pipeline import Pipeline, pipeline
from infra.names import LOCAL_ENVIRONMENT, application_stack
from infra.settings.environment import Settings

BY_KEY = {function.key: function for function in FUNCTIONS}
ANY = {"Source": "orders.ordering", "DetailType": "OrderPlaced", "Detail": "{}"}
FOREIGN = "nobodys#1"
"""The partition key of an item of the table that no function may touch."""
IN_VAULT = {"1#1", "1.1", "nobodys"}
"""Partition keys in the vault: of a person, of a token, and of what no function may touch."""

Client = Callable[[str], Any]


def item(partition: str) -> dict[str, Any]:
    return {"PK": {"S": partition}, "SK": {"S": "event#0000000001"}}


def checked(client: Client, table: str, key: str) -> object:
    check = {
        "TableName": table,
        "Key": item(key),
        "ConditionExpression": "attribute_exists(PK) OR attribute_not_exists(PK)",
    }
    return client("dynamodb").transact_write_items(TransactItems=[{"ConditionCheck": check}])


# What a function may be granted on a table, by the action: how to try it on a key.
TRIES_ON_TABLE: dict[str, Callable[[Client, str, str], object]] = {
    "dynamodb:PutItem": lambda client, table, key: client("dynamodb").put_item(TableName=table, Item=item(key)),
    "dynamodb:GetItem": lambda client, table, key: client("dynamodb").get_item(TableName=table, Key=item(key)),
    "dynamodb:DeleteItem": lambda client, table, key: client("dynamodb").delete_item(TableName=table, Key=item(key)),
    "dynamodb:UpdateItem": lambda client, table, key: client("dynamodb").update_item(TableName=table, Key=item(key)),
    "dynamodb:Scan": lambda client, table, key: client("dynamodb").scan(TableName=table),
    "dynamodb:BatchWriteItem": lambda client, table, key: client("dynamodb").batch_write_item(
        RequestItems={table: [{"DeleteRequest": {"Key": item(key)}}]}
    ),
    "dynamodb:BatchGetItem": lambda client, table, key: client("dynamodb").batch_get_item(
        RequestItems={table: {"Keys": [item(key)]}}
    ),
    "dynamodb:Query": lambda client, table, key: client("dynamodb").query(
        TableName=table, KeyConditionExpression="PK = :pk", ExpressionAttributeValues={":pk": {"S": key}}
    ),
    "dynamodb:ConditionCheckItem": checked,
}
# And besides, by the name of the grant's class.
TRIES: dict[str, Callable[[Client, Pipeline], object]] = {
    "PublishEvents": lambda client, on: client("events").put_events(Entries=[{**ANY, "EventBusName": on.orders_bus}]),
    "integrates": lambda client, on: client("events").put_events(Entries=[{**ANY, "EventBusName": on.intake_bus}]),
    "SendEmail": lambda client, on: client("sesv2").send_email(
        FromEmailAddress=on.outputs["EmailSender"],
        Destination={"ToAddresses": ["someone@example.com"]},
        Content={"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "b"}}}},
    ),
    "HashRejections": lambda client, on: client("secretsmanager").get_secret_value(
        SecretId=on.outputs["RejectionKeyArn"]
    ),
    "calls": lambda client, on: client("lambda").invoke(FunctionName=on.function_name("payments_service")),
}


def own_keys(function: FunctionSpec) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """By action, a partition key under each of the function's prefixes: of the table, and of the vault."""
    table: dict[str, set[str]] = defaultdict(set)
    vault: dict[str, set[str]] = defaultdict(set)
    for grant in function.grants:
        match grant:
            case Rows(index=None):
                for action in grant.actions:
                    table[action].update(key.replace("*", "1") for key in grant.keys)
            case VaultItems(attributes=None):
                for action in grant.actions:
                    vault[action].add(grant.keys.replace("*", "1"))
    return table, vault


def naming(attributes: Sequence[str], client: Client, table: str, key: str, action: str) -> object:
    """Read an item of the table, or a partition, by these attributes."""
    projection = {"TableName": table, "ProjectionExpression": ", ".join(attributes)}
    if action == "dynamodb:GetItem":
        return client("dynamodb").get_item(Key=item(key), **projection)
    return client("dynamodb").query(
        KeyConditionExpression="PK = :pk", ExpressionAttributeValues={":pk": {"S": key}}, **projection
    )


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

    own, own_in_vault = own_keys(BY_KEY[key])
    for action, attempt in TRIES_ON_TABLE.items():
        for partition in own[action]:
            assert not denied(partial(attempt, as_function, deployed.table_name, partition)), (action, partition)
        may_anywhere = not denied(partial(attempt, as_function, deployed.table_name, FOREIGN))
        assert may_anywhere == (action == "dynamodb:Scan" and len(own[action]) > 0), action
        vault = deployed.outputs["VaultTableName"]
        may = {each for each in IN_VAULT if not denied(partial(attempt, as_function, vault, each))}
        assert may == own_in_vault[action], action
    for grant in BY_KEY[key].grants:
        if isinstance(grant, VaultItems) and grant.attributes is not None:
            for action in grant.actions:
                partition = grant.keys.replace("*", "1")
                assert not denied(partial(naming, ("PK", *grant.attributes), as_function, vault, partition, action))
                assert denied(partial(naming, ("PK", "person"), as_function, vault, partition, action))
    allowed = {name for name, attempt in TRIES.items() if not denied(partial(attempt, as_function, deployed))}
    assert allowed == {type(grant).__name__ for grant in BY_KEY[key].grants} & TRIES.keys()


def denied(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
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


def test_a_function_that_is_killed_harms_no_other_and_starts_again(deployed: Pipeline) -> None:
    pids = {key: invoke(deployed, key, do="environment")[0]["pid"] for key in ("outbox", "order_view", "stock_watch")}
    os.kill(pids["outbox"], signal.SIGKILL)
    again = {key: invoke(deployed, key, do="environment") for key in pids}
    assert again["order_view"][0]["pid"] == pids["order_view"]
    assert again["stock_watch"][0]["pid"] == pids["stock_watch"]
    answer, failed = again["outbox"]
    if failed:  # the kill met the call
        assert answer["errorType"] == "Runtime.ExitError"
        answer, _ = invoke(deployed, "outbox", do="environment")
    assert answer["pid"] != pids["outbox"]


def test_a_function_sees_its_code_and_its_layer_and_no_other_library(deployed: Pipeline) -> None:
    answer, _ = invoke(deployed, "order_view", do="environment")
    first, second, *others = answer["path"]
    assert first == answer["environment"]["LAMBDA_TASK_ROOT"]
    assert invoke(deployed, "order_view", do="library") == ([f"{second}/library.py", "main"], False)
    assert not any("site-packages" in path for path in others)
    assert answer["environment"]["AWS_ENDPOINT_URL"] == deployed.endpoint


@pytest.mark.parametrize("key", ["order_intake", "file_import", "api_query"])
def test_a_function_at_a_door_finds_who_is_let_in(deployed: Pipeline, settings: Settings, key: str) -> None:
    answer, failed = invoke(deployed, key, do="parties")
    assert not failed
    assert Parties.model_validate_json(answer) == settings.parties


def test_functions_share_the_layer_of_their_package(deployed: Pipeline) -> None:
    found = {key: invoke(deployed, key, do="library")[0] for key in ("order_view", "outbox", "api_query")}
    assert found["order_view"] == found["outbox"]
    assert found["api_query"][1] == "api"


def test_a_functions_code_and_libraries_are_not_writable(deployed: Pipeline) -> None:
    answer, _ = invoke(deployed, "order_view", do="environment")
    code, libraries, *_ = answer["path"]
    for file in (Path(code, "handlers/functions/main/order_view.py"), Path(libraries, "library.py")):
        assert not file.stat().st_mode & 0o222


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
    for table in (deployed.table_name, deployed.outputs["VaultTableName"]):
        ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
        backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
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
    path = broken / f"{application_stack(LOCAL_ENVIRONMENT)}.template.json"
    template = json.loads(path.read_text())
    template["Resources"]["OrderViewQueue"]["Properties"]["VisibilityTimeout"] = 43201
    path.unlink()
    path.write_text(json.dumps(template))
    with pytest.raises(DeploymentError, match=r"OrderViewQueue: .*VisibilityTimeout"), pipeline(assembly=broken):
        pass
