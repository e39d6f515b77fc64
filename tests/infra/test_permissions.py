"""Least privilege: who may do what, as the template says it."""

import json
import re
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from events import streams
from handlers.table import keys
from infra.app import synthesize
from infra.functions import AUTHORIZER, FUNCTIONS
from infra.names import EMULATOR_ACCOUNT, EMULATOR_REGION, LOCAL_ENVIRONMENT
from infra.package import Built, Package
from tests.builders.settings import settings
from tests.infra.template import Properties, Template, document_in, listed, synthesized, target_of, written

ONLY_NAME_IT = {"AWS::Lambda::Function", "AWS::CloudWatch::Alarm"}
"""The types of resources that hold the name of a table, which gives no right to it."""
STREAMS = {f"{kind}#*" for kind in streams.CONTEXTS}
PROJECTED = {
    *("order#*", "rejection#*", "cancellation#*", "reservation#*", "payment#*", "shipment#*", "delivery#*", "erasure#*")
}
# What each function may do on the table: action -> the key prefixes it may do it on.
TABLE = {
    "order_intake": {
        "PutItem": {"order#*", "rejection#*", "cancellation#*", "unknown-order#*"},
        "Query": {"order#*"},
    },
    "delivery_intake": {"PutItem": {"delivery#*"}, "UpdateItem": {"level#*"}},
    "shipment_intake": {"Query": {"order#*", "shipment#*"}, "PutItem": {"shipment#*"}},
    "file_import": {"BatchGetItem": {"import#*"}, "BatchWriteItem": {"import#*"}},
    "outbox": {},
    "stock_watch": {"Query": {"stock#*"}, "PutItem": {"stock#*"}},
    "replenishment": {"Query": {"purchase#*", "delivery#*"}, "PutItem": {"purchase#*"}},
    "ordering_service": {
        "Query": {"order#*", "cancellation#*"},
        "PutItem": {"order#*", "cancellation#*"},
        "ConditionCheckItem": {"payment#*"},
    },
    "inventory_service": {
        "Query": {"order#*", "reservation#*"},
        "PutItem": {"reservation#*"},
        "UpdateItem": {"level#*"},
    },
    "payments_service": {
        "Query": {"order#*", "payment#*"},
        "PutItem": {"payment#*"},
        "UpdateItem": {"sandbox#payments#*"},
    },
    "shipping_service": {
        "Query": {"order#*", "shipment#*"},
        "PutItem": {"shipment#*", "order#*"},
        "UpdateItem": {"sandbox#shipping#*"},
    },
    "shipped_stock": {"Query": {"reservation#*"}, "PutItem": {"reservation#*"}},
    "order_view": {
        "GetItem": {"projection#order_view"},
        "UpdateItem": {"view#order#*"},
        "Query": {"order#*", "cancellation#*", "reservation#*", "payment#*", "shipment#*"},
    },
    "counting_projections": {
        "GetItem": {"projection#daily_sales", "projection#stock_view", "projection#customer_history"},
        "UpdateItem": {
            *("view#sales#*", "view#stock#*", "view#customer#*"),
            *("applied#daily_sales#*", "applied#stock_view#*", "applied#customer_history#*"),
        },
        "Query": {"order#*"},
    },
    "rebuild": {
        "GetItem": {"projection#*"},
        "PutItem": {"projection#*"},
        "UpdateItem": {"view#*", "applied#*"},
        "Query": STREAMS,
        "Scan": {"*"},
        "BatchGetItem": PROJECTED | {"view#*", "applied#*"},
        "BatchWriteItem": {"view#*", "applied#*"},
    },
    "erasure": {"Query": {"order#*", "cancellation#*"}, "PutItem": {"erasure#*"}},
    "sweep": {
        "GetItem": {"projection#order_view", "sweep"},
        "PutItem": {"sweep"},
        "Query": {"order#*", "cancellation#*"},
        "Query of GSI2": {"*#shop#*#status#*#*"},
        "Query of GSI3": {"*#shop#*#status#*#*"},
    },
    "order_emails": {
        "Query": {"order#*", "notification#*", "customer#*"},
        "PutItem": {"notification#*", "customer#*"},
    },
    "dead_letters": {"PutItem": {"dead-letter#*"}},
    "api_query": {
        "GetItem": {"view#order#*", "view#stock#*", "level#*", "projection#order_view", "projection#stock_view"},
        "BatchGetItem": {"view#order#*"},
        "Query": {
            "order#*",
            "reservation#*",
            "payment#*",
            "shipment#*",
            "cancellation#*",
            "erasure#*",
            "notification#*",
            "rejection#*",
            "unknown-order#*",
        },
        "Query of GSI1": {"*#customer#*"},
        "Query of GSI2": {"*#shop#*#status#*#*"},
    },
    "api_authorizer": {},
}
PERSON, TOKEN = "*#*", "*.*"
# On the vault likewise; every other function may do nothing there.
VAULT = {
    "order_intake": {
        "GetItem": {PERSON},
        "PutItem": {PERSON, TOKEN},
        "UpdateItem": {PERSON},
        "DeleteItem": {TOKEN},
    },
    "payments_service": {"GetItem": {TOKEN}, "DeleteItem": {TOKEN}},
    "shipping_service": {"GetItem": {PERSON}},
    "order_emails": {"GetItem": {PERSON}},
    "api_query": {"GetItem": {PERSON}},
    "erasure": {"Query": {PERSON, TOKEN}, "DeleteItem": {PERSON, TOKEN}},
}
# Who reads items of the vault by some attributes alone: those of the key, and these.
READS = {
    "order_intake": {("GetItem", PERSON): {"content_key"}},
    "erasure": {("Query", PERSON): set(), ("Query", TOKEN): set()},
}
# And besides: action -> the type of the one resource it may do it on.
STREAM = {
    "dynamodb:DescribeStream": "AWS::DynamoDB::Table",
    "dynamodb:GetRecords": "AWS::DynamoDB::Table",
    "dynamodb:GetShardIterator": "AWS::DynamoDB::Table",
    "s3:PutObject": "AWS::S3::Bucket",
    "s3:ListBucket": "AWS::S3::Bucket",
}
QUEUE = dict.fromkeys(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], "AWS::SQS::Queue")
DEAD_LETTERS = {"sqs:SendMessage": "AWS::SQS::Queue"}
BESIDES = {
    "order_intake": QUEUE | DEAD_LETTERS | {"secretsmanager:GetSecretValue": "AWS::SecretsManager::Secret"},
    "delivery_intake": QUEUE | DEAD_LETTERS,
    "shipment_intake": QUEUE | DEAD_LETTERS,
    "file_import": QUEUE
    | DEAD_LETTERS
    | dict.fromkeys(
        [
            *("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"),
            *("s3:ListBucket", "s3:ListBucketVersions"),
        ],
        "AWS::S3::Bucket",
    ),
    "outbox": STREAM | DEAD_LETTERS | {"events:PutEvents": "AWS::Events::EventBus"},
    "stock_watch": STREAM,
    "ordering_service": {},
    "inventory_service": {},
    "payments_service": {},
    "shipping_service": {},
    "shipped_stock": QUEUE | DEAD_LETTERS,
    "order_view": QUEUE | DEAD_LETTERS,
    "counting_projections": QUEUE | DEAD_LETTERS,
    # Starting a replay is granted on the bus and the archive too, which a test below holds.
    "rebuild": {"events:StartReplay": "replay/rebuild.*", "events:DescribeReplay": "replay/rebuild.*"},
    "dead_letters": QUEUE | dict.fromkeys(["s3:PutObject", "s3:GetObject", "s3:ListBucket"], "AWS::S3::Bucket"),
    "erasure": dict.fromkeys(
        [
            *("s3:GetObjectVersion", "s3:DeleteObjectVersion", "s3:ListBucketVersions"),
            *("s3:GetObject", "s3:PutObject", "s3:ListBucket"),
        ],
        "AWS::S3::Bucket",
    ),
    "sweep": {"states:StartExecution": "AWS::StepFunctions::StateMachine"},
    # Sending is granted on the configuration set, too, which a test below holds.
    "order_emails": QUEUE | DEAD_LETTERS | {"ses:SendEmail": "AWS::SES::EmailIdentity"},
    "replenishment": QUEUE | DEAD_LETTERS,
    "api_query": {},
    "api_authorizer": {},
}
# To which queues a function may send, besides its dead-letter queue.
SENDS_BESIDES = {
    "file_import": {"FileImportQueue", "OrderIntakeQueue"},
    "order_emails": {"OrderEmailsQueue"},
    "counting_projections": {"CountingProjectionsQueue"},
}
OWN_LOGS = dict.fromkeys(["logs:CreateLogStream", "logs:PutLogEvents"], "AWS::Logs::LogGroup")
# AWS takes no resource for these.
ON_ANY_RESOURCE = {
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "dynamodb:ListStreams"),
    "lambda:ListEventSourceMappings",
}
ON_ANY_RESOURCE_FOR_A_SAGA = {
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
}
NAMES = {function.key: function.name for function in (*FUNCTIONS, AUTHORIZER)}
LEADING_KEYS = "ForAllValues:StringLike"
ATTRIBUTES = "ForAllValues:StringEquals"


def test_there_is_one_role_per_function(template: Template) -> None:
    roles = [template.role_of(function) for function in template.of_type("AWS::Lambda::Function")]
    assert len(set(roles)) == len(roles) == len(TABLE)
    for role in roles:
        assert template.of_type("AWS::IAM::Role")[role].keys() == {"AssumeRolePolicyDocument", "Tags"}


@pytest.mark.parametrize("key", TABLE)
def test_on_the_table_a_function_may_do_this_on_its_own_keys_and_no_more(template: Template, key: str) -> None:
    assert granted_on(template, "Orders", key) == TABLE[key]


@pytest.mark.parametrize("key", TABLE)
def test_on_the_vault_a_function_may_do_this_on_its_own_keys_and_no_more(template: Template, key: str) -> None:
    assert granted_on(template, "Vault", key) == VAULT.get(key, {})


@pytest.mark.parametrize("key", VAULT)
def test_of_the_vault_a_function_reads_these_attributes_and_no_more(template: Template, key: str) -> None:
    """Neither by reading the whole item, nor by having a write return it."""
    limited: dict[tuple[str, str], set[str]] = {}
    for statement in template.statements(template.role_of(NAMES[key])):
        if of_table(statement["Resource"][0], "Vault") is None:
            continue
        condition = statement["Condition"]
        if ATTRIBUTES not in condition:
            assert condition["StringEqualsIfExists"] == {"dynamodb:ReturnValues": "NONE"}
            continue
        assert condition["StringEquals"] == {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}
        assert set(statement["Action"]) <= {"dynamodb:GetItem", "dynamodb:Query"}, "what writes selects nothing"
        for action, pattern in product(statement["Action"], leading_keys(statement)):
            named = set(condition[ATTRIBUTES]["dynamodb:Attributes"])
            assert named >= {"PK", "SK"}, "without these, DynamoDB refuses every request"
            limited[action.removeprefix("dynamodb:"), pattern] = named - {"PK", "SK"}
    assert limited == READS.get(key, {})


def granted_on(template: Template, table: str, function: str) -> dict[str, set[str]]:
    """What a function may do on a table: the key prefixes by the action."""
    granted: dict[str, set[str]] = {}
    for statement in template.statements(template.role_of(NAMES[function])):
        parts = [of_table(resource, table) for resource in statement["Resource"]]
        if parts[0] is None:
            continue
        for action, part in product(statement["Action"], parts):
            assert part is not None
            granted.setdefault(action.removeprefix("dynamodb:") + part, set()).update(leading_keys(statement))
    return granted


def test_nobody_but_functions_may_do_anything_on_the_vault(template: Template) -> None:
    roles = {template.role_of(NAMES[key]) for key in VAULT}
    named = {
        name
        for name, resource in template.raw["Resources"].items()
        if resource["Type"] not in ONLY_NAME_IT and "Vault" in re.findall(r"[A-Za-z0-9]+", json.dumps(resource))
    }
    policies = {
        name for name, policy in template.of_type("AWS::IAM::Policy").items() if target_of(policy["Roles"][0]) in roles
    }
    assert named == policies


def test_persons_and_tokens_are_told_apart_by_their_keys() -> None:
    """So that what may be done to the one is done to the other by nobody."""
    persons = [keys.person("demo.o1", customer).pk for customer in ("demo.c1", "demo.c_1-a", None)]
    tokens = [keys.payment_token("demo.o1", "hash").pk]
    for pattern, own, others in ((PERSON, persons, tokens), (TOKEN, tokens, persons)):
        assert all(fnmatchcase(key, pattern) for key in own)
        assert not any(fnmatchcase(key, pattern) for key in others)


def test_order_intake_alone_reads_the_key_of_rejections(template: Template) -> None:
    [secret] = template.of_type("AWS::SecretsManager::Secret")
    reading = {
        role: [target_of(resource) for resource in statement["Resource"]]
        for role in template.of_type("AWS::IAM::Role").keys() - {"ApiCloudWatchRole73EC6FC4"}
        for statement in template.statements(role)
        if any(action.startswith("secretsmanager:") for action in statement["Action"])
    }
    assert reading == {template.role_of("OrderIntake"): [secret]}


def leading_keys(statement: Properties) -> list[str]:
    """The keys that a statement is limited to, and a request without a key is not allowed. A scan has no keys."""
    if statement["Action"] == ["dynamodb:Scan"]:
        assert "Condition" not in statement
        return ["*"]
    assert statement["Condition"].keys() >= {LEADING_KEYS, "Null"}
    assert statement["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}
    keys: list[str] = statement["Condition"][LEADING_KEYS]["dynamodb:LeadingKeys"]
    return keys


@pytest.mark.parametrize("key", BESIDES)
def test_besides_the_table_a_function_may_do_this_and_no_more(template: Template, key: str) -> None:
    tables = ["Orders", "Vault"]
    types = {name: resource["Type"] for name, resource in template.raw["Resources"].items()}
    granted: dict[str, str] = {}
    anywhere: set[str] = set()
    for statement in template.statements(template.role_of(NAMES[key])):
        for resource in statement["Resource"]:
            if resource == "*":
                anywhere.update(statement["Action"])
            elif (named := replays(resource)) is not None:
                granted |= dict.fromkeys(statement["Action"], named)
            elif all(of_table(resource, table) is None for table in tables):
                granted |= dict.fromkeys(statement["Action"], types[target_of(resource)])
    assert granted == BESIDES[key] | OWN_LOGS
    assert anywhere <= ON_ANY_RESOURCE


@pytest.mark.parametrize("key", [function.key for function in FUNCTIONS if function.has_dead_letter_queue])
def test_a_function_sends_dead_letters_to_its_own_dead_letter_queue_and_to_no_other_queue_but_these(
    template: Template, key: str
) -> None:
    role = template.role_of(NAMES[key])
    sends = [one for one in template.statements(role) if "sqs:SendMessage" in one["Action"]]
    assert {target_of(to) for one in sends for to in one["Resource"]} == {
        f"{NAMES[key]}DeadLetterQueue",
        *SENDS_BESIDES.get(key, ()),
    }


def test_dead_letter_messages_are_written_under_open_and_read_there_and_under_redriven(template: Template) -> None:
    granted: dict[str, set[str]] = {}
    for statement in template.statements(template.role_of("DeadLetters")):
        for resource in statement["Resource"]:
            match resource:
                case {"Fn::Join": ["", [{"Fn::GetAtt": [str(bucket), "Arn"]}, str(prefix)]]}:
                    assert bucket.startswith("DeadLetterBucket")
                    granted.setdefault(prefix, set()).update(statement["Action"])
    assert granted == {"/open/*": {"s3:PutObject", "s3:GetObject"}, "/redriven/*": {"s3:GetObject"}}


def test_file_import_may_do_this_below_each_prefix_of_the_bucket_and_no_more(template: Template) -> None:
    granted: dict[str, set[str]] = {}
    for statement in template.statements(template.role_of("FileImport")):
        for resource in statement["Resource"]:
            match resource:
                case {"Fn::Join": ["", [{"Fn::GetAtt": [_, "Arn"]}, str(prefix)]]}:
                    granted.setdefault(prefix, set()).update(statement["Action"])
    assert granted == {
        "/incoming/*": {"s3:GetObjectVersion", "s3:DeleteObjectVersion"},
        "/checkpoints/*": {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
        "/done/*": {"s3:PutObject"},
        "/reports/*": {"s3:PutObject"},
    }


def test_logs_go_to_the_functions_own_group(template: Template) -> None:
    groups = []
    for name, function in template.of_type("AWS::Lambda::Function").items():
        [logs] = [one for one in template.statements(template.role_of(name)) if "logs:PutLogEvents" in one["Action"]]
        assert target_of(logs["Resource"][0]) == target_of(function["LoggingConfig"]["LogGroup"])
        groups.append(target_of(logs["Resource"][0]))
    assert len(set(groups)) == len(groups)


def test_no_grant_names_an_action_by_wildcard(template: Template) -> None:
    documents = [
        document_in(resource["Properties"]["PolicyDocument"])
        for resource in template.raw["Resources"].values()
        if "PolicyDocument" in resource.get("Properties", {})
    ]
    assert documents
    for statement in (statement for document in documents for statement in document["Statement"]):
        if statement["Effect"] == "Allow":
            assert not any("*" in action for action in listed(statement["Action"])), statement


def test_only_the_outbox_may_put_on_the_orders_bus(template: Template) -> None:
    outbox = template.role_of("Outbox")
    orders = bus_named(template, "orders")
    putters = {
        role
        for role in set(template.of_type("AWS::IAM::Role")) - {"ApiCloudWatchRole73EC6FC4"}
        if any("events:PutEvents" in statement["Action"] for statement in template.statements(role))
    }
    assert putters == {outbox}
    _, policy = template.only("AWS::Events::EventBusPolicy")
    assert target_of(policy["EventBusName"]) == orders
    statement = policy["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "events:PutEvents")
    assert target_of(statement["Resource"]) == orders
    assert target_of(statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]) == outbox
    assert statement["Condition"].keys() == {"ArnNotEquals", "Bool"}
    assert statement["Condition"]["Bool"] == {"aws:PrincipalIsAWSService": "false"}


def policy_of_output(template: Template, output: str) -> Any:
    """The statements of the managed policy whose ARN is in that output; nobody has it until it is attached."""
    policy = template.of_type("AWS::IAM::ManagedPolicy")[target_of(template.raw["Outputs"][output]["Value"])]
    assert not policy.keys() & {"Roles", "Users", "Groups"}
    return policy["PolicyDocument"]["Statement"]


@pytest.mark.parametrize(
    ("role", "events"),
    [
        ("Shop", ["OrderSubmitted", "OrderCancellationRequested"]),
        ("Warehouse", ["StockDelivered"]),
        ("Carrier", ["ShipmentStatusReported"]),
    ],
)
def test_publishers_may_put_the_events_of_their_role_from_the_source_in_their_tag(
    template: Template, role: str, events: list[str]
) -> None:
    [statement] = policy_of_output(template, f"{role}PublishersPolicyArn")
    assert (statement["Effect"], statement["Action"]) == ("Allow", "events:PutEvents")
    assert target_of(statement["Resource"]) == bus_named(template, "intake")
    own = statement["Condition"]["ForAllValues:StringEquals"]
    assert listed(own["events:detail-type"]) == events
    assert listed(own["events:source"]) == ["${aws:PrincipalTag/order-source}"]
    # A condition ForAllValues holds where a key has no value at all.
    assert statement["Condition"] == {
        "ForAllValues:StringEquals": own,
        "Null": {"events:detail-type": "false", "events:source": "false"},
    }


def test_who_drops_files_for_a_shop_may_write_into_its_folder_and_read_what_became_of_them(
    packages: dict[Package, Built], tmp_path: Path
) -> None:
    shops = {"acme": {}, "bloom": {"folder": "blossoms"}}
    template = synthesized(Path(synthesize(packages, LOCAL_ENVIRONMENT, settings(shops=shops), tmp_path).directory))
    for shop, folder in (("Acme", "acme"), ("Bloom", "blossoms")):
        granted: dict[str, set[str]] = {}
        for statement in policy_of_output(template, f"{shop}FilesPolicyArn"):
            assert statement["Effect"] == "Allow"
            for resource in listed(statement["Resource"]):
                assert re.fullmatch(r"Files[0-9A-F]{8}", target_of(resource))
                path = resource["Fn::Join"][1][1]
                granted.setdefault(path, set()).update(listed(statement["Action"]))
        assert granted == {
            f"/incoming/{folder}/*": {"s3:PutObject"},
            f"/done/{folder}/*": {"s3:GetObject"},
            f"/reports/{folder}/*": {"s3:GetObject"},
        }


def test_there_is_a_managed_policy_for_each_role_and_each_shop_and_no_other(template: Template) -> None:
    outputs = {name for name in template.raw["Outputs"] if name.endswith("PolicyArn")}
    assert outputs == {
        *("ShopPublishersPolicyArn", "WarehousePublishersPolicyArn", "CarrierPublishersPolicyArn"),
        "DemoFilesPolicyArn",
    }
    assert len(template.of_type("AWS::IAM::ManagedPolicy")) == len(outputs)


SERVICES = {"OrderingService", "InventoryService", "PaymentsService", "ShippingService"}


@pytest.mark.parametrize(
    ("name", "services"),
    [
        ("OrderSaga", SERVICES),
        ("OrderSagaExpress", SERVICES),
        ("OrderCancellation", SERVICES),
        ("RebuildProjection", {"Rebuild"}),
        ("Erasure", {"Erasure"}),
    ],
)
def test_a_state_machine_may_call_its_functions_and_the_express_lane_start_the_saga(
    template: Template, name: str, services: set[str]
) -> None:
    by_name = template.of_type("AWS::StepFunctions::StateMachine")
    machines = by_name.values()
    assert len({target_of(machine["RoleArn"]) for machine in machines}) == len(machines)
    for machine in machines:
        if not machine["StateMachineName"].endswith(f"-{name}"):
            continue
        called: set[str] = set()
        started: list[str] = []
        for statement in template.statements(target_of(machine["RoleArn"])):
            if statement["Resource"] == ["*"]:
                assert set(statement["Action"]) <= ON_ANY_RESOURCE_FOR_A_SAGA
            elif statement["Action"] == ["states:StartExecution"]:
                started += [target_of(resource) for resource in statement["Resource"]]
            else:
                assert statement["Action"] == ["lambda:InvokeFunction"]
                called |= {target_of(resource) for resource in statement["Resource"]}
        assert called == services
        hands_over_to = [made for made, each in by_name.items() if each["StateMachineName"].endswith("-OrderSaga")]
        assert started == (hands_over_to if name == "OrderSagaExpress" else [])


def test_the_audit_copy_is_written_by_firehose_and_firehose_by_its_rule(template: Template) -> None:
    stream, firehose = template.only("AWS::KinesisFirehose::DeliveryStream")
    destination = firehose["ExtendedS3DestinationConfiguration"]
    bucket = target_of(destination["BucketARN"])
    types = {name: resource["Type"] for name, resource in template.raw["Resources"].items()}
    granted = {
        (action, target_of(resource))
        for statement in template.statements(target_of(destination["RoleARN"]))
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    [group] = {resource for _, resource in granted} - {bucket}
    assert types[group] == "AWS::Logs::LogGroup"
    assert group == target_of(destination["CloudWatchLoggingOptions"]["LogGroupName"])
    assert granted == {("logs:PutLogEvents", group)} | {
        (f"s3:{action}", bucket)
        for action in (
            *("AbortMultipartUpload", "GetBucketLocation", "GetObject"),
            *("ListBucket", "ListBucketMultipartUploads", "PutObject"),
        )
    }

    [target] = [
        rule["Targets"][0]
        for rule in template.of_type("AWS::Events::Rule").values()
        if target_of(rule["Targets"][0]["Arn"]) == stream
    ]
    [statement] = template.statements(target_of(target["RoleArn"]))
    assert statement["Action"] == ["firehose:PutRecord", "firehose:PutRecordBatch"]
    assert [target_of(resource) for resource in statement["Resource"]] == [stream]


def test_rules_may_send_to_the_dead_letter_queues_behind_them(template: Template) -> None:
    allowed = {
        (target_of(statement["Condition"]["ArnEquals"]["aws:SourceArn"]), target_of(statement["Resource"]))
        for policy in template.of_type("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and statement["Action"] == "sqs:SendMessage"
    }
    for name, rule in template.of_type("AWS::Events::Rule").items():
        if "DeadLetterConfig" in rule["Targets"][0]:
            assert (name, target_of(rule["Targets"][0]["DeadLetterConfig"]["Arn"])) in allowed, name


def test_lambda_never_calls_lambda(template: Template) -> None:
    for name in template.of_type("AWS::Lambda::Function"):
        for statement in template.statements(template.role_of(name)):
            calls = {action for action in statement["Action"] if action.startswith("lambda:")}
            assert calls <= {"lambda:ListEventSourceMappings"}, "to look whether a function is paused"


def of_table(resource: Any, table: str) -> str | None:
    """Which part of the table a grant is on: empty for the table itself, an index as `` of GSI1``; else None."""
    match resource:
        case {"Fn::GetAtt": [name, "Arn"]} if name == table:
            return ""
        case {"Fn::Join": ["", [{"Fn::GetAtt": [name, "Arn"]}, str(path)]]} if name == table:
            return path.replace("/index/", " of ")
    return None


def replays(resource: Any) -> str | None:
    """The replays that a grant is on: they are in no stack."""
    _, _, named = written(resource).partition(":replay/")
    return f"replay/{named}" if named else None


def test_the_rebuild_may_replay_the_archive_of_the_orders_bus_alone(template: Template) -> None:
    [starts] = [
        one for one in template.statements(template.role_of("Rebuild")) if "events:StartReplay" in one["Action"]
    ]
    name, made = template.only("AWS::Events::Archive")
    orders = bus_named(template, "orders")
    assert target_of(made["SourceArn"]) == orders
    assert {written(each).partition(":events:")[2] or written(each) for each in starts["Resource"]} == {
        f"${{{orders}.Arn}}",
        f"${{{name}.Arn}}",
        f"{EMULATOR_REGION}:{EMULATOR_ACCOUNT}:replay/rebuild.*",
    }


def test_e_mails_may_be_sent_from_the_senders_identity_under_the_configuration_set_alone(template: Template) -> None:
    identity, _ = template.only("AWS::SES::EmailIdentity")
    configuration_set, _ = template.only("AWS::SES::ConfigurationSet")
    assert senders_may_use(template, "OrderEmails") == {
        f"identity/${{{identity}}}",
        f"configuration-set/${{{configuration_set}}}",
    }


def test_in_the_sandbox_e_mails_may_go_to_the_identities_that_the_settings_name(
    packages: dict[Package, Built], tmp_path: Path
) -> None:
    email = {
        "sender": "orders@shop.example",
        "identity": "shop.example",
        "sandbox_recipients": ["jo@team.example", "testers.example"],
    }
    made = Path(synthesize(packages, LOCAL_ENVIRONMENT, settings(email=email), tmp_path).directory)
    template = synthesized(made)
    assert template.of_type("AWS::SES::EmailIdentity") == {}
    assert senders_may_use(template, "OrderEmails") == {
        "identity/shop.example",
        "identity/orders@shop.example",
        "identity/jo@team.example",
        "identity/testers.example",
        "identity/*@testers.example",
        "configuration-set/${ConfigurationSet}",
    }


def senders_may_use(template: Template, function: str) -> set[str]:
    """On what in SES a function may send e-mails."""
    statements = template.statements(template.role_of(function))
    [sending] = [one for one in statements if "ses:SendEmail" in one["Action"]]
    assert sending["Action"] == ["ses:SendEmail"]
    return {written(each).rpartition(":")[2] for each in sending["Resource"]}


def bus_named(template: Template, name: str) -> str:
    [bus] = [
        logical
        for logical, bus in template.of_type("AWS::Events::EventBus").items()
        if bus["Name"].endswith(f"-{name}")
    ]
    return bus
