"""What a principal needs of the key, by what it may do with what the key encrypts. Pure."""

from collections.abc import Iterable

READ = ("kms:Decrypt",)
WRITE = ("kms:Decrypt", "kms:GenerateDataKey")

BY_ACTION = {
    "s3:GetObject": READ,
    "s3:GetObjectVersion": READ,
    "s3:PutObject": WRITE,
    "secretsmanager:GetSecretValue": READ,
    "sqs:ReceiveMessage": READ,
    "sqs:SendMessage": WRITE,
}
"""Sources: the developer guides of Amazon S3 ("Using server-side encryption with AWS KMS keys"), AWS Secrets Manager
("Secret encryption and decryption") and Amazon SQS ("Configuring KMS permissions"). Who puts events on a bus, or
replays an archive, needs nothing: EventBridge uses the key by itself."""

TABLE = ("kms:Decrypt", "kms:DescribeKey")
TABLE_WRITE = (*TABLE, "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
TABLE_READS = ("BatchGet", "ConditionCheck", "Describe", "Get", "List", "Query", "Scan")
"""What the names of actions on a table, or on its stream, begin with that change nothing.

Source: Amazon DynamoDB Developer Guide, "DynamoDB encryption at rest: how it works", authorizing use of the key.
"""


def needed_for(actions: Iterable[str]) -> dict[str, list[str]]:
    """The KMS actions that go with these IAM actions, by the service through which the key is used."""
    needed: dict[str, set[str]] = {}
    for action in actions:
        service, _, name = action.partition(":")
        wanted = BY_ACTION.get(action, ())
        if service == "dynamodb":
            wanted = TABLE if name.startswith(TABLE_READS) else TABLE_WRITE
        if wanted:
            needed.setdefault(service, set()).update(wanted)
    return {service: sorted(needed[service]) for service in sorted(needed)}
