"""To which moments a table can be restored: the emulator names the second in which it is asked, and no other."""

import json
from typing import Any

from ministack.services import dynamodb  # type: ignore[import-not-found]


def patch() -> None:
    """Let a table that has point-in-time recovery have it since it was created."""
    describe = dynamodb._describe_continuous_backups

    def describe_since_creation(request: dict[str, Any]) -> Any:
        status, headers, body = describe(request)
        answer = json.loads(body)
        recovery = answer.get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
        if "EarliestRestorableDateTime" in recovery:
            table = dynamodb._tables[dynamodb._normalize_table_name(request["TableName"])]
            recovery["EarliestRestorableDateTime"] = table["CreationDateTime"]
        return status, headers, json.dumps(answer).encode()

    dynamodb._describe_continuous_backups = describe_since_creation
