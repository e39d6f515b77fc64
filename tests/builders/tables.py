"""The pipeline's table, for tests that do without the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import GlobalSecondaryIndexTypeDef, ProjectionTypeDef

LISTED = ["order_id", "status", "currency", "total", "placed_at"]
"""What lists show: all that the index by status holds besides its keys."""


def create_table(client: DynamoDBClient, name: str) -> None:
    """Create an empty table with the keys and indexes of the deployed one."""
    keys = ("PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK", "GSI3SK")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            _index("GSI1", {"ProjectionType": "KEYS_ONLY"}),
            _index("GSI2", {"ProjectionType": "INCLUDE", "NonKeyAttributes": LISTED}),
            _index("GSI3", {"ProjectionType": "KEYS_ONLY"}, partitions_of="GSI2"),
        ],
    )


def create_vault(client: DynamoDBClient, name: str) -> None:
    """Create an empty vault, with the keys of the deployed one."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
    )


def _index(name: str, projection: ProjectionTypeDef, *, partitions_of: str = "") -> GlobalSecondaryIndexTypeDef:
    return {
        "IndexName": name,
        "KeySchema": [
            {"AttributeName": f"{partitions_of or name}PK", "KeyType": "HASH"},
            {"AttributeName": f"{name}SK", "KeyType": "RANGE"},
        ],
        "Projection": projection,
    }
