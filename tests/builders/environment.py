"""The environment in which tests import the functions, and the names in it.

The functions are wired when they are imported, once a process, so unit tests and engines share these names.
"""

from pathlib import Path

from infra.names import EMULATOR_ACCOUNT

_QUEUES = f"https://sqs.us-east-1.amazonaws.com/{EMULATOR_ACCOUNT}"
"""moto looks a queue up by its name alone, the emulator by account and name."""

TABLE = "orders"
VAULT_TABLE = "order-vault"
REJECTION_KEY = "rejection-key"
BUS = "orders"
INTAKE_BUS = "order-intake"
ARCHIVE = "orders"
QUEUE = "dead-letters"
QUEUE_URL = f"{_QUEUES}/{QUEUE}"
OWN_QUEUE = "file-import"
ORDER_QUEUE = "order-intake"
SENDER = "orders@shop.example"
CONFIGURATION_SET = "OrderPipeline-unit"
DEAD_LETTER_BUCKET = "dead-letter-bucket"
ERASURE_LEDGER = "erasure-ledger"
ORDER_SAGA = "arn:aws:states:us-east-1:123456789012:stateMachine:OrderSaga"
CANCELLATION_SAGA = "arn:aws:states:us-east-1:123456789012:stateMachine:OrderCancellation"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "TABLE_NAME": TABLE,
    "VAULT_TABLE_NAME": VAULT_TABLE,
    "REJECTION_KEY_ARN": REJECTION_KEY,
    "ORDERS_BUS_NAME": BUS,
    "ORDERS_BUS_ARN": "arn:aws:events:us-east-1:123456789012:event-bus/orders",
    "ARCHIVE_ARN": "arn:aws:events:us-east-1:123456789012:archive/orders",
    "DEAD_LETTER_QUEUE_URL": QUEUE_URL,
    "DEAD_LETTER_BUCKET_NAME": DEAD_LETTER_BUCKET,
    "ERASURE_LEDGER_NAME": ERASURE_LEDGER,
    "DEAD_LETTER_QUEUES": (
        f'{{"order_intake":"{QUEUE}","outbox":"outbox-dead-letters","audit_copy":"copy-dead-letters"}}'
    ),
    "EMAIL_SENDER": SENDER,
    "EMAIL_CONFIGURATION_SET": CONFIGURATION_SET,
    "ENVIRONMENT": "dev",
    "JWT_ISSUER": "https://issuer.example",
    "JWT_AUDIENCE": "shop",
    "JWT_JWKS_URL": "https://issuer.example/keys",
    "OWN_QUEUE_URL": f"{_QUEUES}/{OWN_QUEUE}",
    "ORDER_QUEUE_URL": f"{_QUEUES}/{ORDER_QUEUE}",
    "PARTIES_FILE": str(Path(__file__).with_name("parties.json")),
    "ORDER_SAGA_ARN": ORDER_SAGA,
    "CANCELLATION_SAGA_ARN": CANCELLATION_SAGA,
    "OVERDUE_AFTER_MINUTES": "10",
    "QUEUED_FUNCTIONS": "order_intake order_emails",
    "POWERTOOLS_SERVICE_NAME": "unit",
    "POWERTOOLS_METRICS_NAMESPACE": "OrderPipeline",
    "POWERTOOLS_LOG_LEVEL": "INFO",
}
"""The environment the functions are deployed with."""

_MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine"
OUTPUTS = {
    "Shops": "demo",
    "Lane": "express",
    "StateMachineArn": f"{_MACHINES}:OrderSaga",
    "CancellationStateMachineArn": f"{_MACHINES}:OrderCancellation",
    "TableName": TABLE,
    "VaultTableName": VAULT_TABLE,
    "IntakeBusName": INTAKE_BUS,
    "OrdersBusName": BUS,
    "ArchiveName": ARCHIVE,
}
"""What the stacks say they made, for the command line: what most commands need of it."""
