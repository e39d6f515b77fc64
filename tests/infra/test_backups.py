"""AWS Backup of both tables: each day, by a role of its own, into a vault that is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.template import Template, listed, synthesized, target_of, with_aliases, written

FOR_DYNAMODB = {
    "table": {"CreateBackup", "DescribeTable", "ListTagsOfResource", "StartAwsBackupJob"},
    "backup": {"DeleteBackup", "DescribeBackup"},
}
TABLES = {"Orders", "Vault"}


@pytest.fixture(scope="module")
def backed_up(everything: Path) -> Template:
    return synthesized(everything)


def test_both_tables_are_backed_up_each_day_beside_their_point_in_time_recovery(backed_up: Template) -> None:
    plan, made = backed_up.only("AWS::Backup::BackupPlan")
    [rule] = made["BackupPlan"]["BackupPlanRule"]
    assert rule["ScheduleExpression"] == "cron(0 2 * * ? *)"
    vault, _ = backed_up.only("AWS::Backup::BackupVault")
    assert target_of(rule["TargetBackupVault"]) == vault
    _, selection = backed_up.only("AWS::Backup::BackupSelection")
    assert target_of(selection["BackupPlanId"]) == plan
    assert {target_of(each) for each in selection["BackupSelection"]["Resources"]} == TABLES
    for table in backed_up.of_type("AWS::DynamoDB::Table").values():
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_the_vault_is_kept_and_its_name_is_of_its_stack_and_its_key(backed_up: Template) -> None:
    name, made = backed_up.only("AWS::Backup::BackupVault")
    vault = backed_up.raw["Resources"][name]
    assert (vault["DeletionPolicy"], vault["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    named = written(made["BackupVaultName"])
    assert "AWS::StackId" in named
    assert named.endswith("-keyed")


def test_the_role_may_do_with_the_tables_what_a_backup_needs_and_no_more(backed_up: Template) -> None:
    _, selection = backed_up.only("AWS::Backup::BackupSelection")
    role = target_of(selection["BackupSelection"]["IamRoleArn"])
    [trusted] = backed_up.of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "backup.amazonaws.com"}
    assert "aws:SourceAccount" in trusted["Condition"]["StringEquals"]
    granted: dict[str, set[str]] = {}
    for statement in backed_up.statements(role):
        for resource in listed(statement["Resource"]):
            if target_of(resource) in TABLES:
                part = "backup" if written(resource).endswith("/backup/*") else "table"
                granted.setdefault(part, set()).update(
                    action.removeprefix("dynamodb:") for action in statement["Action"]
                )
            else:
                assert backed_up.raw["Resources"][target_of(resource)]["Type"] == "AWS::KMS::Key"
    assert granted == FOR_DYNAMODB


def test_people_are_told_when_a_backup_fails(backed_up: Template) -> None:
    [alarm] = [each for each in backed_up.of_type("AWS::CloudWatch::Alarm").values() if _of_backups(each)]
    vault, _ = backed_up.only("AWS::Backup::BackupVault")
    [dimension] = alarm["Dimensions"]
    assert (alarm["MetricName"], dimension["Name"]) == ("NumberOfBackupJobsFailed", "BackupVaultName")
    assert vault in written(dimension["Value"])
    assert alarm["AlarmActions"]


def _of_backups(alarm: dict[str, object]) -> bool:
    return alarm.get("Namespace") == "AWS/Backup"


def test_unless_it_is_set_there_is_no_backup_but_point_in_time_recovery(assembly: Path) -> None:
    template = with_aliases(assembly)
    assert not any(made["Type"].startswith("AWS::Backup::") for made in template.raw["Resources"].values())
