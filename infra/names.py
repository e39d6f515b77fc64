"""Names that every deployment has, for those who use the pipeline without synthesizing it: nothing here imports CDK."""

STACK_NAME = "OrderPipeline"
TABLE_NAME = "orders"
VAULT_TABLE_NAME = "order-vault"
INTAKE_BUS_NAME = "order-intake"
ORDERS_BUS_NAME = "orders"
METRICS_NAMESPACE = "OrderPipeline"
ARCHIVE_NAME = "orders"
API_STAGE = "v1"

DEMO_SHOP = "demo"
"""The shop in the settings that ship."""

EMULATOR_REGION = "us-east-1"
EMULATOR_ACCOUNT = "000000000000"
"""The account on one machine. To the emulator, an access key of 12 digits is the root of the account of that number."""


def in_template(key: str) -> str:
    """What ids and outputs of the stack begin with that belong to the function, or the saga start, with that key."""
    return "".join(part.capitalize() for part in key.split("_"))
