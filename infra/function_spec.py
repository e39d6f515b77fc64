"""How a Lambda function of the pipeline is described: what triggers it, what it is granted, how large it is.

Nothing here imports CDK or builds packages, so that tests and benchmarks can read the descriptions too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from events.model import Model
from infra.names import in_template

if TYPE_CHECKING:
    from infra.package import Package

Bus = Literal["intake", "orders"]

GET = "dynamodb:GetItem"
PUT = "dynamodb:PutItem"
QUERY = "dynamodb:Query"
UPDATE = "dynamodb:UpdateItem"
DELETE = "dynamodb:DeleteItem"
CHECK = "dynamodb:ConditionCheckItem"
BATCH_GET = "dynamodb:BatchGetItem"
BATCH_WRITE = "dynamodb:BatchWriteItem"
SCAN = "dynamodb:Scan"


# Grants


@dataclass(frozen=True)
class Rows:
    """`actions` on the items of the table whose partition key matches one of `keys` (IAM wildcards).

    With `index`, on that index and its partition keys instead.
    """

    actions: tuple[str, ...]
    keys: tuple[str, ...]
    index: str | None = None


@dataclass(frozen=True)
class VaultItems:
    """`actions` on the items of the vault whose partition key matches `keys` (an IAM wildcard).

    With `attributes`, the actions read, and each request names what it reads: of these and of the key alone.
    """

    actions: tuple[str, ...]
    keys: str
    attributes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class HashRejections:
    """Read the key of the content hashes in rejections."""


@dataclass(frozen=True)
class PublishEvents:
    """Put events on the orders bus, which no other principal may."""


@dataclass(frozen=True)
class SendEmail:
    """Send e-mails from the pipeline's address, under its configuration set."""


@dataclass(frozen=True)
class ReplayArchive:
    """Replay the archive of the orders bus for a rebuild."""


@dataclass(frozen=True)
class DeleteDeadLetters:
    """Read the dead-letter messages of shops, know whose they are, and delete them in every version."""


@dataclass(frozen=True)
class ErasureLedger:
    """Write and read the ledger of erasures."""


Grant = (
    Rows | VaultItems | HashRejections | PublishEvents | SendEmail | ReplayArchive | DeleteDeadLetters | ErasureLedger
)


# Triggers


@dataclass(frozen=True)
class Subscription:
    """Events of a bus, through a queue of the function's own.

    `events` are the classes of the events wanted; with `all_but` they are the ones not wanted. `replays`:
    replayed events too, which is right for projections only. A call takes up to `batch_size` events, gathered for
    at most `batching_window` seconds. `postpones`: what cannot be done for now it sends to its queue again, for later.
    """

    bus: Bus
    events: tuple[type[Model], ...]
    all_but: bool = False
    replays: bool = False
    batch_size: int = 10
    batching_window: int = 0
    max_concurrency: int = 10
    postpones: bool = False

    @property
    def detail_types(self) -> list[str]:
        """The events as EventBridge names them."""
        return [event.__name__ for event in self.events]


@dataclass(frozen=True)
class TableChanges:
    """Changes of the table: those of items under these key prefixes, by the name of the stream event.

    They are gathered for at most `batching_window` seconds. Of each shard of the table's stream, as many calls as
    `parallelization_factor` says run at once, each with partitions of its own: at most 10.
    """

    event_names: tuple[str, ...]
    pk_prefixes: tuple[str, ...]
    sk_prefix: str | None = None
    batch_size: int = 100
    batching_window: int = 0
    parallelization_factor: int = 1


@dataclass(frozen=True)
class DroppedFiles:
    """Files dropped into the bucket, one a call, through a queue of the function's own.

    It reads a file in stretches, between which it sends itself a message, and puts the orders in it on the queue of the
    function with the key `orders_to`.
    """

    orders_to: str
    max_concurrency: int = 2


@dataclass(frozen=True)
class DeadLetterQueues:
    """The messages of every dead-letter queue, up to `batch_size` of one queue a call, to be stored in their bucket.

    A message that fails is delivered again as long as its queue keeps it.
    """

    batch_size: int = 10
    max_concurrency: int = 2


@dataclass(frozen=True)
class Tasks:
    """The tasks of state machines whose definitions name the function by its placeholder."""


@dataclass(frozen=True)
class Schedule:
    """The clock. A run that fails is made up for by the next one."""

    every_minutes: int

    @property
    def expression(self) -> str:
        """How often, as EventBridge Scheduler has it."""
        return f"rate({self.every_minutes} minute{'s' if self.every_minutes > 1 else ''})"


Trigger = Subscription | TableChanges | DroppedFiles | DeadLetterQueues | Tasks | Schedule


@dataclass(frozen=True)
class FunctionSpec:
    """One Lambda function: `handlers/functions/<package>/<key>.py`.

    `timeout` is in seconds, `memory` in MB. `local_concurrency` is its reserved concurrency on one machine, where each
    concurrent call is a process. Without `trigger`, the HTTP API calls it.
    """

    key: str
    grants: tuple[Grant, ...] = ()
    trigger: Trigger | None = None
    timeout: int = 10
    memory: int = 512
    local_concurrency: int = 2
    package: Package = "main"

    @property
    def handler(self) -> str:
        """What Lambda calls."""
        return f"handlers.functions.{self.package}.{self.key}.handler"

    @property
    def name(self) -> str:
        """CamelCase of the key: the prefix of the function's ids in the template."""
        return in_template(self.key)

    @property
    def placeholder(self) -> str:
        """What stands for its ARN in the definition of a state machine: the part in braces of `${RebuildArn}`."""
        return f"{self.name}Arn"

    @property
    def knows_parties(self) -> bool:
        """Whether it has to know who is let in: it takes what comes from outside, or looks at what each shop has."""
        match self.trigger:
            case Subscription(bus="intake") | DroppedFiles() | Schedule() | None:
                return True
        return DeleteDeadLetters() in self.grants

    @property
    def queued(self) -> bool:
        """Whether its trigger goes through a queue of its own."""
        return isinstance(self.trigger, Subscription | DroppedFiles)

    @property
    def hidden_seconds(self) -> int:
        """For how long its queue hides a message that was delivered: it may be gathered first, and be throttled.

        Source: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping".
        """
        gathered = self.trigger.batching_window if isinstance(self.trigger, Subscription) else 0
        return 6 * self.timeout + gathered

    @property
    def has_dead_letter_queue(self) -> bool:
        """Whether it sends what it cannot process, or can never publish, to a dead-letter queue of its own."""
        return self.queued or PublishEvents() in self.grants
