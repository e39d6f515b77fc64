"""How each type of resource that holds orders is told which key encrypts it."""

from aws_cdk import aws_backup as backup
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import IConstruct


def encrypt(resource: IConstruct, key: str) -> None:
    """Encrypt a resource with the key of that ARN, if it holds orders. Of a function: environment and snapshots."""
    match resource:
        case dynamodb.CfnTable():
            resource.sse_specification = dynamodb.CfnTable.SSESpecificationProperty(
                sse_enabled=True, sse_type="KMS", kms_master_key_id=key
            )
        case s3.CfnBucket():
            resource.bucket_encryption = _of_bucket(key)
        case sqs.CfnQueue():
            resource.sqs_managed_sse_enabled = None
            resource.kms_master_key_id = key
        case events.CfnEventBus() | events.CfnArchive():
            resource.kms_key_identifier = key
        case firehose.CfnDeliveryStream():
            resource.delivery_stream_encryption_configuration_input = (
                firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty(
                    key_type="CUSTOMER_MANAGED_CMK", key_arn=key
                )
            )
        case secretsmanager.CfnSecret() | logs.CfnLogGroup():
            resource.kms_key_id = key
        case sfn.CfnStateMachine():
            resource.encryption_configuration = sfn.CfnStateMachine.EncryptionConfigurationProperty(
                type="CUSTOMER_MANAGED_KMS_KEY", kms_key_id=key
            )
        case lambda_.CfnFunction():
            resource.kms_key_arn = key
        case backup.CfnBackupVault():
            resource.encryption_key_arn = key


def _of_bucket(key: str) -> s3.CfnBucket.BucketEncryptionProperty:
    """S3 asks for a key of the bucket now and then, instead of one for each object."""
    by_default = s3.CfnBucket.ServerSideEncryptionByDefaultProperty(sse_algorithm="aws:kms", kms_master_key_id=key)
    rule = s3.CfnBucket.ServerSideEncryptionRuleProperty(
        bucket_key_enabled=True, server_side_encryption_by_default=by_default
    )
    return s3.CfnBucket.BucketEncryptionProperty(server_side_encryption_configuration=[rule])
