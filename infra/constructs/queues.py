"""Queues: encrypted, over TLS only, and each that a function reads from with a dead-letter queue behind it."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.dead_letters.storing import OURS
from infra.constructs.suppressing import suppress
from infra.constructs.template import name_in_template
from infra.names import in_template
from infra.retention import QUEUES

KEPT = Duration.days(QUEUES.days)

WAITED = Duration.days(10)
"""From when on a message in front of a paused function is in danger: there are four days left to feed it again."""

STORED_WITHIN = Duration.minutes(5)
"""Messages leave a dead-letter queue within seconds. SQS does not count the age of a message that was received more
than three times, so an alarm must come before that: three times the queue's visibility timeout is nine minutes."""


class DeadLetterQueue(sqs.Queue):
    """What no retry could process, of the function or saga start with the key `source`, until it is stored.

    There is an alarm when a message was stored that its sender did not cause, and one when messages are not stored.
    """

    def __init__(self, scope: Construct, construct_id: str, source: str) -> None:
        super().__init__(
            scope,
            construct_id,
            visibility_timeout=Duration.minutes(3),
            retention_period=KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        suppress(
            self,
            "Serverless-SQSRedrivePolicy",
            "It is a dead-letter queue. What cannot be stored stays in it for two weeks, and rings an alarm.",
        )
        self.source = source
        name = in_template(source)
        name_in_template(self, f"{name}DeadLetterQueue")
        cloudwatch.Alarm(
            self,
            "Stored",
            alarm_description=f"{name} has dead-letter messages: `pipeline dead-letters --source {source}` says why; "
            f"after the repair, `pipeline redrive --source {source}`.",
            metric=cloudwatch.Metric(
                namespace=Stack.of(self).stack_name,
                metric_name="DeadLetterStored",
                dimensions_map={"service": "dead_letters", "source": source, "cause": OURS},
                statistic="sum",
                period=Duration.minutes(1),
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        cloudwatch.Alarm(
            self,
            "NotStored",
            alarm_description=f"{name}: dead-letter messages are not stored. Their queue keeps them for two weeks.",
            metric=self.metric_approximate_age_of_oldest_message(statistic="max", period=Duration.minutes(1)),
            threshold=STORED_WITHIN.to_seconds(),
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )


class WorkQueue(sqs.Queue):
    """A queue in front of a function; a message that was delivered is hidden for that many seconds."""

    def __init__(
        self, scope: Construct, construct_id: str, name: str, hidden_seconds: int, dead_letters: DeadLetterQueue
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            visibility_timeout=Duration.seconds(hidden_seconds),
            retention_period=KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=MAX_RECEIVE_COUNT, queue=dead_letters),
        )
        cloudwatch.Alarm(
            self,
            "Waiting",
            alarm_description=f"Messages for {name} have waited for {WAITED.to_days()} days, and are kept for "
            f"{KEPT.to_days()}: `pipeline status` says whether it is paused.",
            metric=self.metric_approximate_age_of_oldest_message(statistic="max", period=Duration.minutes(5)),
            threshold=WAITED.to_seconds(),
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        name_in_template(self, f"{name}Queue")
