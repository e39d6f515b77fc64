"""Who pays: tags on everything, and a budget of which somebody is told before it is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.names import EMULATOR_ACCOUNT
from infra.settings.environment import InvalidSettings, parsed
from tests.builders.settings import PLACE
from tests.infra.template import Template, listed, synthesized, target_of

TAGS = {"project": "order-pipeline", "environment": "dev", "cost-center": "shops"}
BUDGETS = {"Service": "budgets.amazonaws.com"}


@pytest.fixture(scope="module")
def made(everything: Path) -> Template:
    return synthesized(everything)


def tags_of(properties: dict[str, Any]) -> dict[str, str]:
    """The tags of a resource, in whichever way its type has them."""
    tags: Any = next(
        (properties[name] for name in ("Tags", "UserPoolTags", "BackupVaultTags") if name in properties), {}
    )
    return tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


@pytest.mark.parametrize(
    "resource_type",
    [
        *("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::Events::EventBus"),
        *("AWS::Lambda::Function", "AWS::StepFunctions::StateMachine", "AWS::KinesisFirehose::DeliveryStream"),
        *("AWS::Logs::LogGroup", "AWS::ApiGateway::Stage", "AWS::Cognito::UserPool", "AWS::KMS::Key"),
        *("AWS::SecretsManager::Secret", "AWS::SNS::Topic", "AWS::WAFv2::WebACL", "AWS::Backup::BackupVault"),
    ],
)
def test_what_costs_says_who_pays_for_it(made: Template, resource_type: str) -> None:
    resources = made.of_type(resource_type)
    assert resources
    for name, properties in resources.items():
        assert tags_of(properties) == TAGS, name


def policy_of(made: Template, topic: str) -> tuple[str, dict[str, Any]]:
    """The policy of a topic, with its name."""
    [found] = [
        (name, policy)
        for name, policy in made.of_type("AWS::SNS::TopicPolicy").items()
        if topic in map(target_of, policy["Topics"])
    ]
    return found


def test_a_budget_tells_the_topic_of_alarms_and_an_address_before_it_is_spent(made: Template) -> None:
    name, budget = made.only("AWS::Budgets::Budget")
    assert budget["Budget"] == {
        "BudgetName": "OrderPipeline-dev",
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": 500, "Unit": "USD"},
    }
    told = budget["NotificationsWithSubscribers"]
    assert {(each["Notification"]["NotificationType"], each["Notification"]["Threshold"]) for each in told} == {
        ("ACTUAL", 80),
        ("FORECASTED", 100),
    }
    topic = target_of(made.raw["Outputs"]["AlarmsTopicArn"]["Value"])
    # Budgets refuses a topic that it may not notify.
    assert made.raw["Resources"][name]["DependsOn"] == [policy_of(made, topic)[0]]
    for each in told:
        by_topic, by_email = each["Subscribers"]
        assert (by_topic["SubscriptionType"], target_of(by_topic["Address"])) == ("SNS", topic)
        assert by_email == {"SubscriptionType": "EMAIL", "Address": "finance@example.com"}


def test_budgets_of_this_account_alone_may_use_the_topic_and_its_key(made: Template) -> None:
    topic = target_of(made.raw["Outputs"]["AlarmsTopicArn"]["Value"])
    _, policy = policy_of(made, topic)
    key = made.of_type("AWS::KMS::Key")[target_of(made.of_type("AWS::SNS::Topic")[topic]["KmsMasterKeyId"])]
    for document, actions in (
        (policy["PolicyDocument"], ["sns:Publish"]),
        (key["KeyPolicy"], ["kms:Decrypt", "kms:GenerateDataKey*"]),
    ):
        [statement] = [one for one in document["Statement"] if one["Principal"] == BUDGETS]
        assert listed(statement["Action"]) == actions
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": EMULATOR_ACCOUNT}
        assert "ArnLike" in statement["Condition"]


def test_without_settings_there_is_no_budget(template: Template) -> None:
    assert template.of_type("AWS::Budgets::Budget") == {}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ("cost.budget.monthly_usd = 0", "cost.budget.monthly_usd"),
        ('cost.budget = { email = "a@example.com" }', "cost.budget.monthly_usd"),
        ('cost.center = "a<b"', "cost.center"),
    ],
)
def test_settings_that_no_bill_could_have_are_refused_by_their_field(wrong: str, field: str) -> None:
    with pytest.raises(InvalidSettings, match=field):
        parsed(f"{PLACE}{wrong}\n[shops.demo]\n")
