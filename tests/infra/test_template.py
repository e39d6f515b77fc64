"""What the template for AWS promises, for the parts that no local run proves."""

import json
import random
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from events.streams import PUBLISHED
from handlers.intake.parties import Parties
from infra import needs
from infra.app import synthesize
from infra.constructs.express_saga import START_EXECUTION
from infra.function_spec import (
    DeadLetterQueues,
    DeleteDeadLetters,
    DroppedFiles,
    ErasureLedger,
    HashRejections,
    PublishEvents,
    ReplayArchive,
    SendEmail,
    Subscription,
    TableChanges,
    VaultItems,
)
from infra.functions import AUTHORIZER, FUNCTIONS
from infra.names import EMULATOR_ACCOUNT, LOCAL_ENVIRONMENT, application_stack, in_template
from infra.package import PACKAGES, Built, Package
from infra.package.python_version import building_python
from infra.planning.stages import STREAM_SHARDS
from infra.settings.environment import Settings
from tests.builders.orders import EMAIL
from tests.builders.settings import settings as settings_of
from tests.infra.template import Template, synthesized, target_of, written

LOGGED = ("StreamFailures", "Files", "AuditCopy", "DeadLetterBucket", "ErasureLedger")
"""The buckets of which each access is logged."""
E_MAILS = ["EMAIL_SENDER", "EMAIL_CONFIGURATION_SET"]
NO_REPLAY = [{"exists": False}]
AT_DOORS = {"order_intake", "delivery_intake", "shipment_intake", "file_import", "api_query", "api_authorizer"}
"""The functions that take what comes from outside."""
KNOW_PARTIES = {*AT_DOORS, "erasure", "sweep"}
"""The functions that have to know who is let in: the erasure looks at what came, the sweep at what each shop has."""
OF_THE_SWEEP = ("ORDER_SAGA_ARN", "CANCELLATION_SAGA_ARN", "QUEUED_FUNCTIONS", "OVERDUE_AFTER_MINUTES")
DEPLOYED = (*FUNCTIONS, AUTHORIZER)
PROJECTIONS = {"OrderViewQueue", "CountingProjectionsQueue"}


def test_every_rule_but_the_projections_and_the_audits_excludes_replays(template: Template) -> None:
    [audit] = template.of_type("AWS::KinesisFirehose::DeliveryStream")
    for name, rule in template.of_type("AWS::Events::Rule").items():
        [target] = rule["Targets"]
        queue = target_of(target["Arn"])
        if queue in {*PROJECTIONS, audit}:
            assert "replay-name" not in rule["EventPattern"], name
            # A replay names the rules it is for.
            assert queue == audit or f"{rule['Name']}_queue" == _snake(queue)
        else:
            assert rule["EventPattern"]["replay-name"] == NO_REPLAY, name


def test_the_archive_of_the_orders_bus_keeps_domain_events_and_no_replays(template: Template) -> None:
    _, archive = template.only("AWS::Events::Archive")
    assert target_of(archive["SourceArn"]) == bus_named(template, "orders")
    assert archive["EventPattern"] == {"source": [{"prefix": "orders."}], "replay-name": NO_REPLAY}
    assert archive["RetentionDays"] >= 30


def test_every_rule_target_has_a_dead_letter_queue(template: Template) -> None:
    """But those of SES's reports, which name recipients: they are nowhere to be kept."""
    queues = template.of_type("AWS::SQS::Queue")
    for name, rule in template.of_type("AWS::Events::Rule").items():
        [target] = rule["Targets"]
        if name in reporting(template):
            assert "DeadLetterConfig" not in target, name
            continue
        assert target_of(target["DeadLetterConfig"]["Arn"]) in queues, name


@pytest.mark.parametrize(
    ("lane", "name", "event"),
    [
        ("template", "OrderSagaExpress", "OrderPlaced"),
        ("of_pool", "OrderSaga", "OrderPlaced"),
        ("template", "OrderCancellation", "CancellationRequested"),
    ],
)
def test_a_saga_starts_with_the_order_id_of_each_event_it_wants(
    templates: Mapping[str, Template], lane: str, name: str, event: str
) -> None:
    """A placed order starts the machine of the lane that is set, and no other."""
    template = templates[lane]
    machine = machine_named(template, name)
    [rule] = [
        rule
        for rule in template.of_type("AWS::Events::Rule").values()
        if target_of(rule["Targets"][0]["Arn"]) == machine
    ]
    assert bus_of(rule) == bus_named(template, "orders")
    assert rule["EventPattern"]["detail-type"] == [event]
    starting = [
        target_of(each["Targets"][0]["Arn"])
        for each in template.of_type("AWS::Events::Rule").values()
        if each["EventPattern"].get("detail-type") == [event]
    ]
    assert [each for each in starting if each in template.of_type("AWS::StepFunctions::StateMachine")] == [machine]
    transformer = rule["Targets"][0]["InputTransformer"]
    [(variable, path)] = transformer["InputPathsMap"].items()
    assert path == "$.detail.data.order_id"
    assert transformer["InputTemplate"] == f'{{"order_id":<{variable}>}}'


def test_everything_on_the_orders_bus_is_copied_for_the_audit(template: Template) -> None:
    stream, firehose = template.only("AWS::KinesisFirehose::DeliveryStream")
    [rule] = [
        rule
        for rule in template.of_type("AWS::Events::Rule").values()
        if target_of(rule["Targets"][0]["Arn"]) == stream
    ]
    assert bus_of(rule) == bus_named(template, "orders")
    assert rule["EventPattern"] == {"source": [{"prefix": "orders."}]}
    assert "InputTransformer" not in rule["Targets"][0]

    assert firehose["DeliveryStreamEncryptionConfigurationInput"] == {"KeyType": "AWS_OWNED_CMK"}
    destination = firehose["ExtendedS3DestinationConfiguration"]
    assert target_of(destination["BucketARN"]) == bucket_named(template, "AuditCopy")
    assert destination["Prefix"] == "events/!{timestamp:yyyy/MM/dd}/"
    assert not destination["ErrorOutputPrefix"].startswith("events/")
    assert destination["BufferingHints"]["IntervalInSeconds"] == 60
    assert destination["CloudWatchLoggingOptions"]["Enabled"] is True
    # The doctor reads what is plain JSON, and all of it.
    assert "CompressionFormat" not in destination
    [lifecycle] = template.of_type("AWS::S3::Bucket")[target_of(destination["BucketARN"])]["LifecycleConfiguration"][
        "Rules"
    ]
    assert [each["StorageClass"] for each in lifecycle["Transitions"]] == ["STANDARD_IA", "GLACIER_IR"]
    assert not any("Expiration" in name for name in lifecycle)


def test_domain_event_rules_want_our_sources(template: Template) -> None:
    orders = bus_named(template, "orders")
    for name, rule in template.of_type("AWS::Events::Rule").items():
        if bus_of(rule) == orders:
            assert rule["EventPattern"]["source"] in ([{"prefix": "orders."}], ["orders.ordering"]), name


def test_every_integration_event_has_a_subscriber(template: Template) -> None:
    intake = bus_named(template, "intake")
    patterns = [
        rule["EventPattern"] for rule in template.of_type("AWS::Events::Rule").values() if bus_of(rule) == intake
    ]
    assert sorted((pattern["detail-type"] for pattern in patterns), key=str) == [
        ["ShipmentStatusReported"],
        ["StockDelivered"],
        [{"anything-but": ["StockDelivered", "ShipmentStatusReported"]}],
    ]
    assert all(set(pattern) == {"detail-type", "replay-name"} for pattern in patterns)


def test_every_queue_has_a_dead_letter_queue_behind_it(template: Template) -> None:
    queues = template.of_type("AWS::SQS::Queue")
    work = {name: queue for name, queue in queues.items() if "RedrivePolicy" in queue}
    dead_letters = set(queues) - set(work)
    for name, queue in work.items():
        assert target_of(queue["RedrivePolicy"]["deadLetterTargetArn"]) in dead_letters, name
        assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert {queue["MessageRetentionPeriod"] for queue in queues.values()} == {14 * 24 * 3600}


def test_the_calls_that_run_at_once_are_those_that_preflight_counts(template: Template) -> None:
    at_once = sum(mapping["ScalingConfig"]["MaximumConcurrency"] for mapping in queue_mappings(template))
    mappings = template.of_type("AWS::Lambda::EventSourceMapping").values()
    following = sum(mapping.get("ParallelizationFactor", 0) for mapping in mappings)
    by_clock = len(template.of_type("AWS::Scheduler::Schedule"))
    assert needs.received_at_once() == at_once + following * STREAM_SHARDS + by_clock
    assert len(template.of_type("AWS::DynamoDB::Table")) == needs.OURS


def test_each_subscriber_receives_from_its_own_queue_and_the_storing_function_from_every_other(
    template: Template,
) -> None:
    queues = template.of_type("AWS::SQS::Queue")
    sources = defaultdict(list)
    for mapping in queue_mappings(template):
        sources[triggered(mapping)].append(target_of(mapping["EventSourceArn"]))
    assert sorted(sources.pop("DeadLetters")) == sorted(
        name for name, queue in queues.items() if "RedrivePolicy" not in queue
    )
    assert sources == {function.name: [f"{function.name}Queue"] for function in FUNCTIONS if function.queued}


def test_the_storing_function_knows_the_source_of_each_queue(template: Template) -> None:
    variables = template.of_type("AWS::Lambda::Function")["DeadLetters"]["Environment"]["Variables"]
    _, parts = variables["DEAD_LETTER_QUEUES"]["Fn::Join"]
    sources = json.loads("".join(part if isinstance(part, str) else part["Fn::GetAtt"][0] for part in parts))
    functions = [function.key for function in FUNCTIONS if function.has_dead_letter_queue]
    assert sources == {
        key: f"{in_template(key)}DeadLetterQueue"
        for key in [*functions, "saga_start", "cancellation_start", "audit_copy"]
    }


def test_queue_mappings_are_limited_and_report_single_failures(template: Template) -> None:
    functions = template.of_type("AWS::Lambda::Function")
    queues = template.of_type("AWS::SQS::Queue")
    for mapping in queue_mappings(template):
        assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        timeout = functions[target_of(mapping["FunctionName"])]["Timeout"]
        assert queues[target_of(mapping["EventSourceArn"])]["VisibilityTimeout"] >= 6 * timeout


def test_queues_are_encrypted_and_refuse_what_comes_without_tls(template: Template) -> None:
    queues = template.of_type("AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    refusing = {
        target_of(policy["Queues"][0])
        for policy in template.of_type("AWS::SQS::QueuePolicy").values()
        if denies_without_tls(policy)
    }
    assert refusing == set(queues)


def test_stream_mappings_lose_nothing(template: Template) -> None:
    bucket = bucket_named(template, "StreamFailures")
    mappings = stream_mappings(template)
    assert len(mappings) == sum(isinstance(function.trigger, TableChanges) for function in FUNCTIONS)
    for mapping in mappings:
        assert target_of(mapping["EventSourceArn"]) == "Orders"
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert mapping["BisectBatchOnFunctionError"] is True
        assert 0 < mapping["MaximumRetryAttempts"] <= 10_000
        assert 0 < mapping["MaximumRecordAgeInSeconds"] <= 12 * 3600
        assert target_of(mapping["DestinationConfig"]["OnFailure"]["Destination"]) == bucket
        # A reported failure of one record would lose it where the emulator ignores it: the functions raise instead.
        assert "FunctionResponseTypes" not in mapping


def test_the_outbox_receives_the_appended_events_of_every_stream_but_notifications(template: Template) -> None:
    [pattern] = [filter_of(mapping) for mapping in stream_mappings(template) if triggered(mapping) == "Outbox"]
    assert pattern["eventName"] == ["INSERT"]
    assert pattern["dynamodb"]["Keys"]["SK"] == {"S": [{"prefix": "event#"}]}
    streams = {f"{kind}#" for kind in PUBLISHED}
    assert {entry["prefix"] for entry in pattern["dynamodb"]["Keys"]["PK"]["S"]} == streams


def test_the_stock_watch_receives_the_levels(template: Template) -> None:
    [pattern] = [filter_of(mapping) for mapping in stream_mappings(template) if triggered(mapping) == "StockWatch"]
    assert sorted(pattern["eventName"]) == ["INSERT", "MODIFY"]
    assert pattern["dynamodb"]["Keys"] == {"PK": {"S": [{"prefix": "level#"}]}}


@pytest.mark.parametrize("name", ["Orders", "Vault"])
def test_the_tables_keep_what_they_have(template: Template, name: str) -> None:
    table = template.of_type("AWS::DynamoDB::Table")[name]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionProtectionEnabled"] is True
    recovery = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35}
    assert table["PointInTimeRecoverySpecification"] == recovery
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_the_table_has_a_stream_and_the_vault_neither_stream_nor_index(template: Template) -> None:
    """So nothing that is in the vault gets anywhere by itself."""
    tables = template.of_type("AWS::DynamoDB::Table")
    table, vault = tables["Orders"], tables["Vault"]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    copying = {"StreamSpecification", "KinesisStreamSpecification", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"}
    assert not vault.keys() & copying
    assert [(key["AttributeName"], key["KeyType"]) for key in vault["KeySchema"]] == [("PK", "HASH"), ("SK", "RANGE")]


def test_the_key_of_rejections_is_made_up_by_aws(template: Template) -> None:
    name, secret = template.only("AWS::SecretsManager::Secret")
    assert "SecretString" not in secret
    assert secret["GenerateSecretString"]["PasswordLength"] >= 43, "256 bits of letters and digits"
    variables = template.of_type("AWS::Lambda::Function")["OrderIntake"]["Environment"]["Variables"]
    assert variables["REJECTION_KEY_ARN"] == {"Ref": name}


def test_the_index_by_status_carries_what_lists_show_and_the_other_keys_alone(template: Template) -> None:
    """What an index carries is written to it, too, whenever it changes; the status is a key of the second anyway."""
    assert {index["IndexName"]: index["Projection"] for index in _indexes(template)} == {
        "GSI1": {"ProjectionType": "KEYS_ONLY"},
        "GSI2": {
            "ProjectionType": "INCLUDE",
            "NonKeyAttributes": ["order_id", "status", "currency", "total", "placed_at"],
        },
        "GSI3": {"ProjectionType": "KEYS_ONLY"},
    }
    own = {index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]] for index in _indexes(template)}
    assert own == {
        "GSI1": ["GSI1PK", "GSI1SK"],
        "GSI2": ["GSI2PK", "GSI2SK"],
        "GSI3": ["GSI2PK", "GSI3SK"],
    }


@pytest.mark.parametrize("name", [*LOGGED, "BucketLogs"])
def test_buckets_are_closed(template: Template, name: str) -> None:
    name = bucket_named(template, name)
    bucket = template.of_type("AWS::S3::Bucket")[name]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    [encryption] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert {rule["Status"] for rule in bucket["LifecycleConfiguration"]["Rules"]} == {"Enabled"}
    policies = template.of_type("AWS::S3::BucketPolicy").values()
    [policy] = [policy for policy in policies if target_of(policy["Bucket"]) == name]
    assert denies_without_tls(policy)


def test_each_access_to_a_bucket_is_logged_in_one_that_takes_logs_of_these_alone(template: Template) -> None:
    name = bucket_named(template, "BucketLogs")
    buckets = template.of_type("AWS::S3::Bucket")
    assert buckets.keys() == {name, *(bucket_named(template, each) for each in LOGGED)}
    for bucket in LOGGED:
        logged = buckets[bucket_named(template, bucket)]["LoggingConfiguration"]
        assert (target_of(logged["DestinationBucketName"]), logged["LogFilePrefix"]) == (name, f"{bucket}/")
    assert "LoggingConfiguration" not in buckets[name]
    [policy] = [
        each for each in template.of_type("AWS::S3::BucketPolicy").values() if target_of(each["Bucket"]) == name
    ]
    delivering = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Allow"]
    assert len(delivering) == len(LOGGED)
    for statement in delivering:
        assert statement["Principal"] == {"Service": "logging.s3.amazonaws.com"}
        assert statement["Action"] == "s3:PutObject"
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": EMULATOR_ACCOUNT}
        assert target_of(statement["Condition"]["ArnLike"]["aws:SourceArn"]) in buckets


@pytest.mark.parametrize("name", ["AuditCopy", "ErasureLedger"])
def test_what_is_kept_as_evidence_has_versions(template: Template, name: str) -> None:
    bucket = template.of_type("AWS::S3::Bucket")[bucket_named(template, name)]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


def test_the_bucket_of_files_keeps_versions_expires_what_is_done_and_notifies_of_what_arrives(
    template: Template,
) -> None:
    name = bucket_named(template, "Files")
    bucket = template.of_type("AWS::S3::Bucket")[name]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {rule.get("Prefix", ""): rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert {prefix: rule["ExpirationInDays"] for prefix, rule in rules.items() if prefix} == {
        **dict.fromkeys(("incoming/", "done/", "checkpoints/"), 21),
        "reports/": 365,
    }
    assert rules[""]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    assert rules[""]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    [rule] = [
        rule
        for rule in template.of_type("AWS::Events::Rule").values()
        if rule["EventPattern"].get("source") == ["aws.s3"]
    ]
    assert bus_of(rule) == "default"
    assert target_of(rule["Targets"][0]["Arn"]) == "FileImportQueue"
    assert rule["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [{"Ref": name}]}, "object": {"key": [{"prefix": "incoming/"}]}},
        "replay-name": NO_REPLAY,
    }


def test_dead_letter_messages_expire_a_month_after_they_were_stored_or_redriven(template: Template) -> None:
    bucket = template.of_type("AWS::S3::Bucket")[bucket_named(template, "DeadLetterBucket")]
    rules = {rule["Prefix"]: rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules == {"open/": 30, "redriven/": 30}


def test_only_the_import_of_files_in_stretches_and_what_postpones_or_puts_back_may_look_like_a_loop(
    template: Template,
) -> None:
    functions = template.of_type("AWS::Lambda::Function")
    looping = {name for name, made in functions.items() if made.get("RecursiveLoop") == "Allow"}
    assert looping == {"FileImport", "OrderEmails", "CountingProjections"}
    for name in looping:
        assert target_of(functions[name]["Environment"]["Variables"]["OWN_QUEUE_URL"]) == f"{name}Queue"


def test_e_mails_are_sent_four_at_a_time_and_few_by_a_call(template: Template) -> None:
    """So that SES's rate is hardly exceeded, and there is time to wait where it is."""
    mappings = {triggered(mapping): mapping for mapping in queue_mappings(template)}
    assert mappings["OrderEmails"]["BatchSize"] == 4
    assert mappings["OrderEmails"]["ScalingConfig"] == {"MaximumConcurrency": 4}


def test_messages_are_gathered_for_five_seconds_where_nobody_waits_and_at_once_where_somebody_does(
    template: Template,
) -> None:
    gathered = {
        triggered(mapping).removesuffix("Function"): mapping.get("MaximumBatchingWindowInSeconds", 0)
        for mapping in template.of_type("AWS::Lambda::EventSourceMapping").values()
    }
    unhurried = {"OrderView", "CountingProjections", "OrderEmails", "Replenishment", "ShippedStock", "StockWatch"}
    assert {name for name, seconds in gathered.items() if seconds} == unhurried
    assert {gathered[name] for name in unhurried} == {5}
    assert gathered.keys() >= {"OrderIntake", "Outbox"}


def test_the_sweep_is_called_each_minute_by_a_role_that_may_do_that_alone(template: Template) -> None:
    [schedule] = template.of_type("AWS::Scheduler::Schedule").values()
    assert (schedule["ScheduleExpression"], schedule["FlexibleTimeWindow"]) == ("rate(1 minute)", {"Mode": "OFF"})
    assert target_of(schedule["Target"]["Arn"]) == "Sweep"
    [statement] = template.statements(target_of(schedule["Target"]["RoleArn"]))
    assert (statement["Action"], [target_of(each) for each in statement["Resource"]]) == (
        ["lambda:InvokeFunction"],
        ["Sweep"],
    )
    assert template.of_type("AWS::Lambda::Function")["Sweep"]["Timeout"] < 60, "one run at a time"


def test_the_sweep_knows_every_function_that_can_be_paused_and_both_sagas(
    template: Template, packages: dict[Package, Built], tmp_path: Path
) -> None:
    variables = template.of_type("AWS::Lambda::Function")["Sweep"]["Environment"]["Variables"]
    names = written(variables["QUEUED_FUNCTIONS"]).split()
    assert names == [
        f"${{{function.name}}}" for function in sorted(FUNCTIONS, key=lambda each: each.key) if function.queued
    ]
    machines = template.of_type("AWS::StepFunctions::StateMachine")
    assert {
        name: machines[target_of(variables[name])]["StateMachineName"].rpartition("-")[2]
        for name in ("ORDER_SAGA_ARN", "CANCELLATION_SAGA_ARN")
    } == {"ORDER_SAGA_ARN": "OrderSaga", "CANCELLATION_SAGA_ARN": "OrderCancellation"}
    assert variables["OVERDUE_AFTER_MINUTES"] == "10"
    settings = settings_of(sweep={"after_minutes": 30})
    other = synthesized(Path(synthesize(packages, LOCAL_ENVIRONMENT, settings, tmp_path).directory))
    variables = other.of_type("AWS::Lambda::Function")["Sweep"]["Environment"]["Variables"]
    assert variables["OVERDUE_AFTER_MINUTES"] == "30"


def test_the_order_of_the_list_of_functions_does_not_matter(
    template: Template,
    packages: dict[Package, Built],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shuffled = random.Random(1).sample(FUNCTIONS, len(FUNCTIONS))
    monkeypatch.setattr("infra.stacks.application.FUNCTIONS", shuffled)
    assert synthesized(Path(synthesize(packages, LOCAL_ENVIRONMENT, settings, tmp_path).directory)) == template


def test_functions_are_what_the_list_says(template: Template) -> None:
    functions = template.of_type("AWS::Lambda::Function")
    assert set(functions) == {function.name for function in DEPLOYED}
    for function in DEPLOYED:
        made = functions[function.name]
        assert (made["Runtime"], made["Architectures"]) == (f"python{building_python()}", ["arm64"])
        assert (made["Handler"], made["Timeout"], made["MemorySize"]) == (
            function.handler,
            function.timeout,
            function.memory,
        )
        assert made["TracingConfig"] == {"Mode": "Active"}
        logging = made["LoggingConfig"]
        assert target_of(logging["LogGroup"]) in template.of_type("AWS::Logs::LogGroup")
        assert (logging["LogFormat"], logging["SystemLogLevel"]) == ("JSON", "WARN")
        assert logging["ApplicationLogLevel"] == "INFO", "above it, there would be no metrics"
        variables = made["Environment"]["Variables"]
        assert variables["POWERTOOLS_SERVICE_NAME"] == function.key
        assert set(variables) == {
            *("TABLE_NAME", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"),
            *(["ORDERS_BUS_NAME"] if PublishEvents() in function.grants else []),
            *(["DEAD_LETTER_QUEUE_URL"] if function.has_dead_letter_queue else []),
            *(E_MAILS if SendEmail() in function.grants else []),
            *(["OWN_QUEUE_URL"] if isinstance(function.trigger, Subscription) and function.trigger.postpones else []),
            *(["DEAD_LETTER_QUEUES", "DEAD_LETTER_BUCKET_NAME"] if function.trigger == DeadLetterQueues() else []),
            *(["DEAD_LETTER_BUCKET_NAME"] if DeleteDeadLetters() in function.grants else []),
            *(["ERASURE_LEDGER_NAME"] if ErasureLedger() in function.grants else []),
            *(["ARCHIVE_ARN", "ORDERS_BUS_ARN"] if ReplayArchive() in function.grants else []),
            *(["OWN_QUEUE_URL", "ORDER_QUEUE_URL"] if isinstance(function.trigger, DroppedFiles) else []),
            *(["PARTIES_FILE"] if function.key in KNOW_PARTIES else []),
            *(["VAULT_TABLE_NAME"] if any(isinstance(grant, VaultItems) for grant in function.grants) else []),
            *(["REJECTION_KEY_ARN"] if HashRejections() in function.grants else []),
            *(OF_THE_SWEEP if function.key == "sweep" else []),
            *(["ENVIRONMENT", "JWT_ISSUER", "JWT_JWKS_URL", "JWT_AUDIENCE"] if function is AUTHORIZER else []),
        }


def test_functions_of_a_package_share_its_one_layer_and_each_has_its_own_code(template: Template) -> None:
    functions, layers = template.of_type("AWS::Lambda::Function"), template.of_type("AWS::Lambda::LayerVersion")
    assert len({function["Code"]["S3Key"] for function in functions.values()}) == len(functions)
    shared = {(each.package, target_of(functions[each.name]["Layers"][0])) for each in FUNCTIONS}
    assert len(shared) == len({used for _, used in shared}) == len(PACKAGES)
    for _, layer in shared:
        assert layers[layer]["CompatibleRuntimes"] == [f"python{building_python()}"]
        assert layers[layer]["CompatibleArchitectures"] == ["arm64"]


def test_those_functions_alone_have_the_layer_that_says_who_is_let_in(
    template: Template, assembly: Path, settings: Settings
) -> None:
    functions, layers = template.of_type("AWS::Lambda::Function"), template.of_type("AWS::Lambda::LayerVersion")
    libraries = {target_of(made["Layers"][0]) for made in functions.values()}
    [parties] = layers.keys() - libraries
    more = {name: [target_of(layer) for layer in made["Layers"][1:]] for name, made in functions.items()}
    assert more == {function.name: [parties] if function.key in KNOW_PARTIES else [] for function in DEPLOYED}
    for function in DEPLOYED:
        if function.key in KNOW_PARTIES:
            variables = functions[function.name]["Environment"]["Variables"]
            assert variables["PARTIES_FILE"] == "/opt/parties.json"
    assert parties_in(assembly) == settings.parties


def test_other_settings_let_in_others_with_what_is_their_own_and_change_nothing_else(
    template: Template, packages: dict[Package, Built], tmp_path: Path
) -> None:
    shops = {"acme": {"sources": ["com.acme.orders"]}, "bloom": {"clients": ["1example23456789"]}}
    settings = settings_of(shops=shops, api={"firewall": False})
    other = synthesized(Path(synthesize(packages, LOCAL_ENVIRONMENT, settings, tmp_path).directory))
    assert (template.raw["Outputs"]["Shops"]["Value"], other.raw["Outputs"]["Shops"]["Value"]) == ("demo", "acme bloom")
    assert parties_in(tmp_path) == settings.parties
    resources, others = template.raw["Resources"], other.raw["Resources"]
    # A layer of other content is another resource.
    changed = {name for name in resources.keys() | others.keys() if resources.get(name) != others.get(name)}
    by_type = defaultdict(set)
    for name in changed:
        by_type[(resources | others)[name]["Type"]].add(name)
    at_doors = {function.name for function in DEPLOYED if function.key in KNOW_PARTIES}
    assert by_type.pop("AWS::Lambda::LayerVersion")
    assert by_type.pop("AWS::Lambda::Function", set()) <= at_doors
    # What is a shop's own: the policy of who drops its files, and its key of the API.
    own = {"AWS::IAM::ManagedPolicy", "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::UsagePlanKey"}
    assert by_type.keys() == own
    for names in by_type.values():
        assert sorted(shop for shop in ("Acme", "Bloom", "Demo") for name in names if shop in name) == [
            *("Acme", "Bloom", "Demo"),
        ], names


def test_dead_letters_go_to_the_queue_behind_the_function(template: Template) -> None:
    queues = template.of_type("AWS::SQS::Queue")
    for function in FUNCTIONS:
        if function.queued:
            variables = template.of_type("AWS::Lambda::Function")[function.name]["Environment"]["Variables"]
            behind = target_of(queues[f"{function.name}Queue"]["RedrivePolicy"]["deadLetterTargetArn"])
            assert target_of(variables["DEAD_LETTER_QUEUE_URL"]) == behind


def test_a_task_outlives_its_function(template: Template) -> None:
    for machine in template.of_type("AWS::StepFunctions::StateMachine").values():
        tasks = tasks_of(machine)
        assert tasks
        services = {name: target_of(arn) for name, arn in machine["DefinitionSubstitutions"].items()}
        for name, task in tasks.items():
            if task["Resource"] == START_EXECUTION:
                continue
            function = services[task["Resource"].removeprefix("${").removesuffix("}")]
            assert task["TimeoutSeconds"] > template.of_type("AWS::Lambda::Function")[function]["Timeout"], name


def test_state_machines_are_logged_and_traced(template: Template) -> None:
    machines = template.of_type("AWS::StepFunctions::StateMachine")
    assert len(machines) == 5
    express = machine_named(template, "OrderSagaExpress")
    groups = set()
    for name, machine in machines.items():
        assert machine["StateMachineType"] == ("EXPRESS" if name == express else "STANDARD")
        assert machine["LoggingConfiguration"]["Level"] == "ERROR"
        assert machine["TracingConfiguration"] == {"Enabled": True}
        [destination] = machine["LoggingConfiguration"]["Destinations"]
        groups.add(target_of(destination["CloudWatchLogsLogGroup"]["LogGroupArn"]))
    assert len(groups) == len(machines)


def test_the_sender_is_an_identity_of_the_stack(template: Template) -> None:
    _, identity = template.only("AWS::SES::EmailIdentity")
    variables = template.of_type("AWS::Lambda::Function")["OrderEmails"]["Environment"]["Variables"]
    assert identity["EmailIdentity"] == variables["EMAIL_SENDER"] == "orders@example.com"


def test_e_mails_name_a_configuration_set_that_suppresses_who_bounced_or_complained(template: Template) -> None:
    name, made = template.only("AWS::SES::ConfigurationSet")
    variables = template.of_type("AWS::Lambda::Function")["OrderEmails"]["Environment"]["Variables"]
    assert variables["EMAIL_CONFIGURATION_SET"] == made["Name"] == application_stack(LOCAL_ENVIRONMENT)
    assert set(made["SuppressionOptions"]["SuppressedReasons"]) == {"BOUNCE", "COMPLAINT"}
    assert made["ReputationOptions"] == {"ReputationMetricsEnabled": True}
    _, reports = template.only("AWS::SES::ConfigurationSetEventDestination")
    destination = reports["EventDestination"]
    assert target_of(reports["ConfigurationSetName"]) == name
    assert destination["Enabled"] is True
    assert set(destination["MatchingEventTypes"]) == {"bounce", "complaint"}
    assert written(destination["EventBridgeDestination"]["EventBusArn"]).endswith(":event-bus/default")


REPORTS = {
    "Bounce": {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": EMAIL, "diagnosticCode": f"550 no such user {EMAIL}"}],
        },
    },
    "Complaint": {"eventType": "Complaint", "complaint": {"complainedRecipients": [{"emailAddress": EMAIL}]}},
}
MAIL = {
    "messageId": "m1",
    "destination": [EMAIL],
    "commonHeaders": {"to": [EMAIL], "subject": "Your order o1 is confirmed"},
    "tags": {"ses:configuration-set": ["OrderPipeline-dev"], "shop": ["demo"], "order": ["o1"]},
}


@pytest.mark.parametrize(
    ("kind", "logged"),
    [
        ("Bounce", "Bounce of order demo.o1, e-mail m1, type Permanent, subtype General"),
        ("Complaint", "Complaint of order demo.o1, e-mail m1"),
    ],
)
def test_bounces_and_complaints_are_logged_by_their_order_and_without_an_address(
    template: Template, kind: str, logged: str
) -> None:
    """As EventBridge transforms what SES sends."""
    event = {"time": "2026-01-02T03:04:05Z", "source": "aws.ses", "detail": {**REPORTS[kind], "mail": MAIL}}
    rules = reporting(template).values()
    [rule] = [rule for rule in rules if rule["EventPattern"]["detail"]["eventType"] == [kind]]
    assert len(rules) == len(REPORTS)
    assert bus_of(rule) == "default"
    tags = rule["EventPattern"]["detail"]["mail"]["tags"]
    assert tags == {"ses:configuration-set": [application_stack(LOCAL_ENVIRONMENT)]}
    [target] = rule["Targets"]
    group = target_of(target["Arn"])
    assert template.of_type("AWS::Logs::LogGroup")[group]["LogGroupName"] == "/aws/events/OrderPipeline-dev-email"
    text = target["InputTransformer"]["InputTemplate"]
    for name, path in target["InputTransformer"]["InputPathsMap"].items():
        quoted = name == "time"
        text = text.replace(f"<{name}>", json.dumps(at(path, event)) if quoted else at(path, event))
    assert json.loads(text) == {"timestamp": event["time"], "message": logged}


def reporting(template: Template) -> dict[str, dict[str, Any]]:
    """The rules that report what SES says, by their logical ids."""
    rules = template.of_type("AWS::Events::Rule").items()
    return {name: rule for name, rule in rules if rule["EventPattern"].get("source") == ["aws.ses"]}


def at(path: str, event: Any) -> Any:
    """What stands in an event at a path of EventBridge's: ``$.detail.list[0]``."""
    for step in re.findall(r"[\w-]+", path.removeprefix("$.")):
        event = event[int(step) if isinstance(event, list) else step]
    return event


def test_the_rules_of_reports_alone_may_write_to_their_log_group(template: Template) -> None:
    _, policy = template.only("AWS::Logs::ResourcePolicy")
    statements = json.loads(written(policy["PolicyDocument"]))["Statement"]
    groups = [target_of(rule["Targets"][0]["Arn"]) for rule in reporting(template).values()]
    assert set(groups) == {statement["Resource"][2:-5] for statement in statements}
    [write] = [statement for statement in statements if statement["Action"] == "logs:PutLogEvents"]
    assert set(write["Condition"]["ArnEquals"]["aws:SourceArn"]) == {f"${{{name}.Arn}}" for name in reporting(template)}


def parties_in(assembly: Path) -> Parties:
    """Who is let in, by the file of the one layer that has it."""
    archives = map(ZipFile, assembly.glob("asset.*.zip"))
    [file] = [archive.read("parties.json") for archive in archives if archive.namelist() == ["parties.json"]]
    return Parties.model_validate_json(file)


def _indexes(template: Template) -> list[dict[str, Any]]:
    indexes: list[dict[str, Any]] = template.of_type("AWS::DynamoDB::Table")["Orders"]["GlobalSecondaryIndexes"]
    return indexes


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def machine_named(template: Template, name: str) -> str:
    machines = template.of_type("AWS::StepFunctions::StateMachine")
    [machine] = [logical for logical, machine in machines.items() if machine["StateMachineName"].endswith(f"-{name}")]
    return machine


def bus_of(rule: dict[str, Any]) -> str:
    """The logical id of a rule's bus, or the name of one that is not the stack's."""
    bus = rule["EventBusName"]
    return bus if isinstance(bus, str) else target_of(bus)


def bucket_named(template: Template, name: str) -> str:
    """The logical id of the bucket with that construct id."""
    [logical] = [each for each in template.of_type("AWS::S3::Bucket") if re.fullmatch(f"{name}[0-9A-F]{{8}}", each)]
    return logical


def bus_named(template: Template, name: str) -> str:
    [bus] = [
        logical
        for logical, bus in template.of_type("AWS::Events::EventBus").items()
        if bus["Name"].endswith(f"-{name}")
    ]
    return bus


def queue_mappings(template: Template) -> list[dict[str, Any]]:
    mappings = template.of_type("AWS::Lambda::EventSourceMapping").values()
    return [mapping for mapping in mappings if "StartingPosition" not in mapping]


def stream_mappings(template: Template) -> list[dict[str, Any]]:
    mappings = template.of_type("AWS::Lambda::EventSourceMapping").values()
    return [mapping for mapping in mappings if "StartingPosition" in mapping]


def triggered(mapping: dict[str, Any]) -> str:
    return target_of(mapping["FunctionName"])


def filter_of(mapping: dict[str, Any]) -> Any:
    [one] = mapping["FilterCriteria"]["Filters"]
    return json.loads(one["Pattern"])


def tasks_of(machine: dict[str, Any]) -> dict[str, Any]:
    """The tasks of a state machine by name, those inside maps included."""
    found: dict[str, Any] = {}
    inside = [json.loads(machine["DefinitionString"])["States"]]
    while inside:
        states = inside.pop()
        found |= {name: state for name, state in states.items() if state["Type"] == "Task"}
        inside += [state["ItemProcessor"]["States"] for state in states.values() if state["Type"] == "Map"]
    return found


def denies_without_tls(policy: dict[str, Any]) -> bool:
    return any(
        statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in policy["PolicyDocument"]["Statement"]
    )
