"""The stack of what holds data: kept on update and deletion, and gone only if its own creation fails."""

from aws_cdk import Environment, Stack
from constructs import Construct

from infra.constructs.data_resources import DataResources
from infra.constructs.template import output
from infra.names import data_stack
from infra.settings.environment import Settings


class DataStack(Stack):
    """The data of an environment.

    Unless `protected`, the stack and what is in it can be deleted: a creation that fails has to be able to.
    """

    def __init__(self, scope: Construct, environment: str, settings: Settings, *, protected: bool) -> None:
        super().__init__(
            scope,
            data_stack(environment),
            env=Environment(account=settings.account, region=settings.region),
            description=f"The data of the order pipeline {environment}",
            termination_protection=protected,
        )
        self.resources = DataResources(self, environment, settings, protected=protected)
        self._output_resources()

    def _output_resources(self) -> None:
        data = self.resources
        output(self, "TableName", data.table.table_name)
        output(self, "VaultTableName", data.vault.table_name)
        output(self, "RejectionKeyArn", data.rejection_key.secret_arn)
        output(self, "OrdersBusName", data.orders.event_bus_name)
        output(self, "OrdersBusArn", data.orders.event_bus_arn)
        output(self, "ArchiveName", data.orders.kept_events.ref)
        output(self, "ArchiveArn", data.orders.kept_events.attr_arn)
        for shop, policy in data.files.policies.items():
            output(self, f"{shop.capitalize()}FilesPolicyArn", policy.managed_policy_arn)
        output(self, "StreamFailuresBucketName", data.stream_failures.bucket_name)
        output(self, "FilesBucketName", data.files.bucket_name)
        output(self, "AuditBucketName", data.audit_copy.bucket_name)
        output(self, "DeadLetterBucketName", data.dead_letters.bucket_name)
        output(self, "ErasureLedgerName", data.erasures.bucket_name)
        if data.key:
            output(self, "KeyArn", data.key.key_arn)
        if data.backups:
            output(self, "BackupVaultName", data.backups.vault.backup_vault_name)
        output(self, "TokenUrl", f"{data.identity.domain.base_url()}/oauth2/token")
        output(self, "UserPoolId", data.identity.pool.user_pool_id)
        output(self, "ShopClientId", data.identity.shop.user_pool_client_id)
        output(self, "OperationsClientId", data.identity.operations.user_pool_client_id)
