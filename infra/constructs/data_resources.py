"""What holds data: tables, buckets, the orders bus with its archive, the user pool, the key of rejections, backups."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.constructs.api.identity import Identity
from infra.constructs.audit_bucket import AuditBucket
from infra.constructs.backups import Backups
from infra.constructs.buses import OrdersBus
from infra.constructs.customer_key import CustomerKey
from infra.constructs.dead_letter_bucket import DeadLetterBucket
from infra.constructs.erasure_ledger import ErasureLedger
from infra.constructs.files_bucket import FilesBucket
from infra.constructs.keeping import KEPT
from infra.constructs.orders_table import OrdersTable
from infra.constructs.private_bucket import AccessLogsBucket, PrivateBucket
from infra.constructs.suppressing import suppress
from infra.constructs.vault_table import VaultTable
from infra.settings.environment import Settings


class DataResources:
    """They are made in `scope`. With `protected`, the tables and the pool refuse to be deleted."""

    def __init__(self, scope: Construct, environment: str, settings: Settings, *, protected: bool) -> None:
        self.table = OrdersTable(scope, "Orders", protected=protected, adopted=settings.adopt.orders)
        self.vault = VaultTable(scope, "Vault", protected=protected, adopted=settings.adopt.vault)
        self.rejection_key = secretsmanager.Secret(
            scope,
            "RejectionKey",
            description="The key of the content hashes in OrderRejected events.",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=KEPT,
        )
        suppress(
            self.rejection_key,
            "AwsSolutions-SMG4",
            "Under another key, a rejected submission that comes again would be taken for a new one.",
        )
        self.orders = OrdersBus(scope, "OrdersBus", environment)
        logs = AccessLogsBucket(scope, "BucketLogs", days=settings.logs.days)
        self.stream_failures = PrivateBucket(
            scope,
            "StreamFailures",
            access_logs=logs,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(90))],
        )
        self.files = FilesBucket(scope, "Files", logs, settings.parties.folders)
        self.dead_letters = DeadLetterBucket(scope, "DeadLetterBucket", logs)
        self.erasures = ErasureLedger(scope, "ErasureLedger", logs)
        self.audit_copy = AuditBucket(scope, "AuditCopy", logs)
        self.identity = Identity(scope, "Identity", environment, protected=protected)
        own_key = settings.keys.customer_managed
        self.backups = None
        if settings.backup.enabled:
            tables, days = (self.table.table_arn, self.vault.table_arn), settings.backup.days
            self.backups = Backups(scope, "Backups", environment, tables=tables, days=days, customer_managed=own_key)
        self.key = CustomerKey(scope, "Key", environment) if own_key else None
        if self.key:
            self.key.encrypt_all(scope)
