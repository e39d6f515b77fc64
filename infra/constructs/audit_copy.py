"""The audit copy: every event that crosses the orders bus, in a bucket, so that what was published can be compared."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from handlers.operations.audit.copy import AUDIT_PREFIX
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.rules import rule, rule_role
from infra.constructs.suppressing import suppress
from infra.constructs.template import created_after_policy
from infra.constructs.trust import assumed_by

# Firehose writes an object when one of these is reached.
BUFFERED = Duration.seconds(60)
BUFFERED_MB = 5


class AuditCopy(Construct):
    """All that crosses `bus`, replays included, in `bucket` by day of arrival: rule, Firehose, objects.

    EventBridge writes events one after the other, with nothing in between. What it cannot deliver ends in
    `dead_letters`.
    """

    def __init__(self, scope: Construct, construct_id: str, bucket: s3.IBucket, bus: events.IEventBus) -> None:
        super().__init__(scope, construct_id)
        self.bucket = bucket
        self._stream = self._firehose()
        self.stream_name = self._stream.ref
        self.dead_letters = DeadLetterQueue(self, "DeadLetterQueue", "audit_copy")
        suppress(self.dead_letters, "AwsSolutions-SQS3", "It is the dead-letter queue of the rule.")
        self._feed(bus)

    def _firehose(self) -> firehose.CfnDeliveryStream:
        group = logs.LogGroup(self, "Logs")
        failures = logs.LogStream(self, "Failures", log_group=group, removal_policy=RemovalPolicy.DESTROY)
        role = iam.Role(self, "Role", assumed_by=assumed_by(self, "firehose"))
        on_bucket = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        on_objects = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        _allow(role, on_bucket, self.bucket.bucket_arn)
        _allow(role, on_objects, self.bucket.arn_for_objects("*"))
        _allow(role, ["logs:PutLogEvents"], group.log_group_arn)
        suppress(
            role, "AwsSolutions-IAM5", "Firehose names the objects, in a bucket that holds nothing else.", ending="/*"
        )
        stream = firehose.CfnDeliveryStream(
            self,
            "Stream",
            delivery_stream_type="DirectPut",
            delivery_stream_encryption_configuration_input=(
                firehose.CfnDeliveryStream.DeliveryStreamEncryptionConfigurationInputProperty(key_type="AWS_OWNED_CMK")
            ),
            extended_s3_destination_configuration=(
                firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty(
                    bucket_arn=self.bucket.bucket_arn,
                    role_arn=role.role_arn,
                    prefix=f"{AUDIT_PREFIX}!{{timestamp:yyyy/MM/dd}}/",
                    error_output_prefix="failed/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/",
                    buffering_hints=firehose.CfnDeliveryStream.BufferingHintsProperty(
                        interval_in_seconds=int(BUFFERED.to_seconds()), size_in_m_bs=BUFFERED_MB
                    ),
                    cloud_watch_logging_options=firehose.CfnDeliveryStream.CloudWatchLoggingOptionsProperty(
                        enabled=True,
                        log_group_name=group.log_group_name,
                        log_stream_name=failures.log_stream_name,
                    ),
                )
            ),
        )
        created_after_policy(stream, role)
        return stream

    def _feed(self, bus: events.IEventBus) -> None:
        """Let a rule put what crosses the bus into Firehose. CDK's own target has no dead-letter queue."""
        made = rule(self, bus, {"source": [{"prefix": "orders."}]}, replays=True)
        role = rule_role(self, "RuleRole", bus)
        _allow(role, ["firehose:PutRecord", "firehose:PutRecordBatch"], self._stream.attr_arn)
        resource = made.node.default_child
        assert isinstance(resource, events.CfnRule)
        resource.targets = [
            events.CfnRule.TargetProperty(
                id="Firehose",
                arn=self._stream.attr_arn,
                role_arn=role.role_arn,
                dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self.dead_letters.queue_arn),
            )
        ]
        self.dead_letters.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.dead_letters.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": made.rule_arn}},
            )
        )


def _allow(role: iam.Role, actions: list[str], resource: str) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
