"""Queues: encrypted, over TLS only, and each that a function reads from with a dead-letter queue behind it."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from infra.constructs.suppressing import suppress
from infra.constructs.template import name_in_template
from infra.names import in_template
from infra.retention import QUEUES

KEPT = Duration.days(QUEUES.days)


class DeadLetterQueue(sqs.Queue):
    """What no retry could process, of the function or saga start with the key `source`, until it is stored."""

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
        name_in_template(self, f"{in_template(source)}DeadLetterQueue")


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
        name_in_template(self, f"{name}Queue")
