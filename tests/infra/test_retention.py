"""docs/retention.md: how long each store keeps what it has, held to the template; and no store without a row."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from handlers.files import submitting
from handlers.vault import payment_tokens
from infra import retention
from tests.infra.template import Template, synthesized, written

PAGE = Path(__file__).parents[2] / "docs" / "retention.md"
ROWS = {
    store: (personal, kept)
    for store, personal, kept in re.findall(r"^\| ([^|]+) \| (yes|no) \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
}
BUCKETS = ("BucketLogs", "StreamFailures", "Files", "DeadLetterBucket", "ErasureLedger", "AuditCopy")
SUPPRESSED = "suppression list, by SES"
DELETED_LATE = timedelta(hours=8)
"""AWS Backup deletes a backup at some time within that, after its last day."""
BY_AWS = {"traces, by X-Ray", "histories of executions, by Step Functions", "metrics, by CloudWatch", SUPPRESSED}
"""What AWS keeps for as long as it does, whatever a template says."""


def lifecycle(bucket: str, prefix: str = "", name: str = "Expiration") -> Callable[[Template], set[int]]:
    """After how many days objects of a bucket expire under a prefix; nothing where they do not."""

    def days(template: Template) -> set[int]:
        [found] = [made for each, made in template.of_type("AWS::S3::Bucket").items() if each.startswith(bucket)]
        rules = found["LifecycleConfiguration"]["Rules"]
        if name == "Expiration":
            return {
                rule["ExpirationInDays"]
                for rule in rules
                if "ExpirationInDays" in rule and prefix.startswith(rule.get("Prefix", ""))
            }
        return {rule[name]["NoncurrentDays"] for rule in rules if name in rule}

    return days


def backups(table: str) -> Callable[[Template], set[int]]:
    def days(template: Template) -> set[int]:
        found = template.of_type("AWS::DynamoDB::Table")[table]
        return {found["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"]}

    return days


def always(period: timedelta) -> Callable[[Template], set[int]]:
    return lambda _: {period.days}


def of_type(resource_type: str, name: str, seconds: int = 1) -> Callable[[Template], set[int]]:
    """The days that all resources of a type have in a property, which counts so many of them a day."""
    return lambda template: {made[name] // seconds for made in template.of_type(resource_type).values()}


def logs(template: Template, *, of_errors: bool) -> set[int]:
    """The days of the group in which the gateway logs errors, or of all others."""
    groups = template.of_type("AWS::Logs::LogGroup").values()
    by_gateway = [
        group for group in groups if written(group.get("LogGroupName", "")).startswith("API-Gateway-Execution-Logs_")
    ]
    return {group["RetentionInDays"] for group in groups if (group in by_gateway) == of_errors}


HELD: dict[str, Callable[[Template], set[int]]] = {
    "event log": lambda _: set(),
    "views": lambda _: set(),
    "import markers": always(submitting.KEPT),
    "payment tokens in the vault": always(payment_tokens.LIFETIME),
    "backups of the table": backups("Orders"),
    "backups of the vault": backups("Vault"),
    "archive of the orders bus": of_type("AWS::Events::Archive", "RetentionDays"),
    "audit copy": lifecycle("AuditCopy", "events/"),
    "erasure ledger": lifecycle("ErasureLedger", "orders/"),
    "dead-letter messages, open": lifecycle("DeadLetterBucket", "open/"),
    "dead-letter messages, redriven": lifecycle("DeadLetterBucket", "redriven/"),
    "batches of the table's stream that failed": lifecycle("StreamFailures"),
    "files dropped into `incoming/`": lifecycle("Files", "incoming/"),
    "files in `done/`": lifecycle("Files", "done/"),
    "checkpoints of imports": lifecycle("Files", "checkpoints/"),
    "versions of files that were replaced or deleted": lifecycle("Files", name="NoncurrentVersionExpiration"),
    "reports of imports": lifecycle("Files", "reports/"),
    "queues": of_type("AWS::SQS::Queue", "MessageRetentionPeriod", 86_400),
    "logs": lambda template: logs(template, of_errors=False),
    "errors of the API, as the gateway logs them": lambda template: logs(template, of_errors=True),
    "logs of accesses to buckets": lifecycle("BucketLogs"),
}
"""After how many days each store deletes what it has, by its row: nothing where it keeps it for good."""


@pytest.mark.parametrize("store", HELD)
def test_a_store_keeps_what_it_has_for_as_long_as_the_page_says(template: Template, store: str) -> None:
    _, kept = ROWS[store]
    wanted = set() if kept == "for good" else {int(kept.removesuffix(" days"))}
    assert HELD[store](template) == wanted


def test_a_backup_of_aws_backup_is_gone_when_the_rows_say_that_all_backups_are(everything: Path) -> None:
    _, made = synthesized(everything).only("AWS::Backup::BackupPlan")
    [rule] = made["BackupPlan"]["BackupPlanRule"]
    assert rule["Lifecycle"].keys() == {"DeleteAfterDays"}
    assert "CopyActions" not in rule
    gone = timedelta(days=rule["Lifecycle"]["DeleteAfterDays"]) + DELETED_LATE
    for store in ("backups of the table", "backups of the vault"):
        assert gone <= timedelta(days=int(ROWS[store][1].removesuffix(" days")))


def test_every_row_is_held_or_in_the_hands_of_aws() -> None:
    assert set(ROWS) == {*HELD, *BY_AWS, "persons in the vault"}
    assert ROWS["persons in the vault"] == ("yes", "until erased")


def test_every_store_has_a_row(template: Template) -> None:
    buckets = template.of_type("AWS::S3::Bucket")
    assert {next(name for name in BUCKETS if each.startswith(name)) for each in buckets} == set(BUCKETS)
    assert len(buckets) == len(BUCKETS)
    assert set(template.of_type("AWS::DynamoDB::Table")) == {"Orders", "Vault"}


def test_nothing_personal_is_left_of_a_file_after_a_month_from_when_it_was_dropped(template: Template) -> None:
    versions = lifecycle("Files", name="NoncurrentVersionExpiration")(template)
    for prefix in ("incoming/", "done/", "checkpoints/"):
        # S3 counts both from the next midnight.
        assert sum(lifecycle("Files", prefix)(template) | versions) + 2 == retention.FILES.days == 30


def test_what_an_erasure_says_is_left_is_what_the_page_says() -> None:
    assert ROWS["dead-letter messages, open"][1] == f"{retention.DEAD_LETTERS.days} days"
    assert ROWS["queues"][1] == f"{retention.QUEUES.days} days"
    assert ROWS["backups of the vault"][1] == f"{retention.BACKUPS.days} days"
    assert retention.ERASURE_LEDGER > retention.BACKUPS
    assert ROWS["errors of the API, as the gateway logs them"][1] == f"{retention.API_ERRORS.days} days"
    personal = {store for store, (personal, _) in ROWS.items() if personal == "yes"}
    reached = {"persons in the vault", "payment tokens in the vault"}
    announced = {
        *("dead-letter messages, open", "dead-letter messages, redriven", "queues", "backups of the vault"),
        "errors of the API, as the gateway logs them",
        *("files dropped into `incoming/`", "files in `done/`", "versions of files that were replaced or deleted"),
    }
    assert personal == reached | announced | {SUPPRESSED}


def test_no_function_takes_an_address_off_the_suppression_list(template: Template) -> None:
    """An erasure would let SES write again to somebody who complained."""
    assert ROWS[SUPPRESSED] == ("yes", "until taken off")
    granted = {
        action
        for function in template.of_type("AWS::Lambda::Function")
        for statement in template.statements(template.role_of(function))
        for action in statement["Action"]
        if action.startswith("ses:")
    }
    assert granted == {"ses:SendEmail"}
