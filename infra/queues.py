"""Queues: encrypted, over TLS only, and with a dead-letter queue behind each that something reads from."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handlers.tries import TRIES
from infra.template import name_in_template

KEPT = Duration.days(14)


class DeadLetters(sqs.Queue):
    """What no retry could handle, kept for two weeks, with an alarm as soon as there is something in it."""

    def __init__(self, scope: Construct, construct_id: str, name: str) -> None:
        super().__init__(
            scope,
            construct_id,
            retention_period=KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        name_in_template(self, f"{name}DeadLetters")
        cloudwatch.Alarm(
            self,
            "NotEmpty",
            alarm_description=f"{name}: there are dead letters; each says why. Redrive them after the mend.",
            metric=self.metric_approximate_number_of_messages_visible(statistic="max", period=Duration.minutes(1)),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )


class WorkQueue(sqs.Queue):
    """A queue in front of a function whose timeout is `timeout` seconds."""

    def __init__(self, scope: Construct, construct_id: str, name: str, timeout: int, dead_letters: DeadLetters) -> None:
        super().__init__(
            scope,
            construct_id,
            visibility_timeout=Duration.seconds(6 * timeout),
            retention_period=KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=TRIES, queue=dead_letters),
        )
        name_in_template(self, f"{name}Queue")
