"""What a function is granted, as statements of its role and settings of its environment."""

from aws_cdk import Stack

from infra.constructs.buses import OrdersBus
from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.shared_resources import SharedResources
from infra.constructs.suppressing import suppress
from infra.function_spec import (
    DeleteDeadLetters,
    ErasureLedger,
    Grant,
    HashRejections,
    PublishEvents,
    ReplayArchive,
    Rows,
    SendEmail,
    VaultItems,
)


def grant(function: PipelineFunction, wanted: Grant, shared: SharedResources) -> None:
    """Grant a function what it wants; its environment names the resource."""
    match wanted:
        case Rows():
            shared.table.grant_rows(function.own_role, wanted)
        case VaultItems():
            function.add_environment("VAULT_TABLE_NAME", shared.vault.table_name)
            shared.vault.grant_items(function.own_role, wanted)
        case HashRejections():
            function.add_environment("REJECTION_KEY_ARN", shared.rejection_key.secret_arn)
            function.allow(["secretsmanager:GetSecretValue"], [shared.rejection_key.secret_arn])
        case PublishEvents():
            function.add_environment("ORDERS_BUS_NAME", shared.orders.event_bus_name)
            shared.orders.only_from(function.own_role)
        case SendEmail():
            function.add_environment("EMAIL_SENDER", shared.mail.sender)
            function.add_environment("EMAIL_CONFIGURATION_SET", shared.mail.configuration_set)
            function.allow(["ses:SendEmail"], shared.mail.arns)
        case ReplayArchive():
            _grant_replays(function, shared.orders)
        case DeleteDeadLetters():
            bucket = shared.dead_letters
            function.add_environment("DEAD_LETTER_BUCKET_NAME", bucket.bucket_name)
            function.allow(["s3:ListBucketVersions"], [bucket.bucket_arn])
            function.allow(["s3:GetObjectVersion", "s3:DeleteObjectVersion"], [bucket.arn_for_objects("*")])
            suppress(function.own_role, "AwsSolutions-IAM5", "Any message may be about who is erased.", ending="/*")
        case ErasureLedger():
            function.add_environment("ERASURE_LEDGER_NAME", shared.erasures.bucket_name)
            function.allow(["s3:ListBucket"], [shared.erasures.bucket_arn])
            function.allow(["s3:GetObject", "s3:PutObject"], [shared.erasures.arn_for_objects("*")])
            suppress(function.own_role, "AwsSolutions-IAM5", "Each erasure has an object of its own.", ending="/*")


def _grant_replays(function: PipelineFunction, bus: OrdersBus) -> None:
    replays = Stack.of(function).format_arn(service="events", resource="replay", resource_name="rebuild.*")
    function.add_environment("ARCHIVE_ARN", bus.kept_events.attr_arn)
    function.add_environment("ORDERS_BUS_ARN", bus.event_bus_arn)
    function.allow(["events:StartReplay"], [bus.kept_events.attr_arn, bus.event_bus_arn, replays])
    function.allow(["events:DescribeReplay"], [replays])
    suppress(
        function.own_role, "AwsSolutions-IAM5", "Each replay of a rebuild has a name of its own.", ending="rebuild.*"
    )
