"""What functions share: the tables, the buses, the buckets, and the address that e-mails come from."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.constructs.audit_copy import AuditCopy
from infra.constructs.buses import IntakeBus, OrdersBus
from infra.constructs.dead_letter_bucket import DeadLetterBucket
from infra.constructs.erasure_ledger import ErasureLedger
from infra.constructs.files_bucket import FilesBucket
from infra.constructs.orders_table import OrdersTable
from infra.constructs.vault_table import VaultTable
from infra.settings.environment import Settings


class SharedResources:
    """They are made in `scope`. `email_sender` is the address of order e-mails; `settings` name the shops."""

    def __init__(self, scope: Construct, email_sender: str, settings: Settings) -> None:
        self.email_sender = email_sender
        self.table = OrdersTable(scope, "Table")
        self.vault = VaultTable(scope, "Vault")
        self.rejection_key = secretsmanager.Secret(
            scope,
            "RejectionKey",
            description="The key of the content hashes in OrderRejected events.",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.intake = IntakeBus(scope, "IntakeBus")
        self.orders = OrdersBus(scope, "OrdersBus")
        self.sender = ses.EmailIdentity(scope, "Sender", identity=ses.Identity.email(email_sender))
        self.stream_failures = s3.Bucket(
            scope,
            "StreamFailures",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(90))],
        )
        self.files = FilesBucket(scope, "Files", settings.parties.folders)
        self.dead_letters = DeadLetterBucket(scope, "DeadLetterBucket")
        self.erasures = ErasureLedger(scope, "ErasureLedger")
        self.audit_copy = AuditCopy(scope, "AuditCopy", self.orders)
