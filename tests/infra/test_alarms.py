"""Alarms, as the template for AWS has them: what rings, whom it tells, and what they read then."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from handlers.runtime.postponing import LONGEST_SECONDS
from infra.function_spec import Subscription, TableChanges
from infra.functions import FUNCTIONS
from infra.names import EMULATOR_ACCOUNT, application_stack
from tests.infra.template import Properties, Template, alarms_on, listed, metrics_of, synthesized, target_of

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
PARTS = ("What it means", "How to look", "How to mend", "How to know that it is mended")
ALARM, COMPOSITE = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"

SILENCE = {"OrderPipeline-dev-sweep-not-running": "breaching"}
"""What is bad when there is no metric."""
KEPT = {f"OrderPipeline-dev-email-reputation-{rate}": "ignore" for rate in ("BounceRate", "ComplaintRate")}
"""What stays as it was when there is no metric."""

IN_PAGES = {
    "5XXError",
    "FailedInvocations",
    "ApproximateAgeOfOldestMessage",
    "NumberOfMessagesDeleted",
    "DeadLetterStored",
    "IteratorAge",
    "ExecutionsFailed",
    "OrderWithoutOutcome",
    "CancellationWithoutAnswer",
    "Invocations",
    "Errors",
}
"""The metrics that pages depend on: a customer alone moves none of them."""


@pytest.fixture(scope="module")
def large(everything: Path) -> Template:
    """The template with everything that is off unless it is set: gradual deployments and backups have alarms, too."""
    return synthesized(everything)


def all_alarms(template: Template) -> dict[str, Properties]:
    """Every alarm, on metrics or on alarms, by its logical id."""
    return template.of_type(ALARM) | template.of_type(COMPOSITE)


def paged(template: Template) -> dict[str, list[Properties]]:
    """The alarms that each page is made of, by the page's name."""
    alarms = template.of_type(ALARM)
    return {
        page["AlarmName"]: [
            alarms[part["Fn::GetAtt"][0]] for part in page["AlarmRule"]["Fn::Join"][1] if isinstance(part, dict)
        ]
        for page in template.of_type(COMPOSITE).values()
    }


def runbook_of(alarm: Properties) -> str:
    """The name of the page that an alarm's description ends with."""
    named = re.fullmatch(
        r".+\. Severity: (inform|page)\. Runbook: docs/runbooks/([a-z-]+)\.md", alarm["AlarmDescription"]
    )
    assert named, alarm["AlarmDescription"]
    return named[2]


def periods_of(alarm: Properties) -> set[int]:
    """In seconds, of each metric that an alarm looks at."""
    several = {each["MetricStat"]["Period"] for each in alarm.get("Metrics", []) if "MetricStat" in each}
    return several or {alarm["Period"]}


def of_one(alarm: Properties) -> dict[str, Any]:
    """The dimensions of the one metric of an alarm."""
    [metric] = metrics_of(alarm)
    return {each["Name"]: each["Value"] for each in metric["Dimensions"]}


def test_every_alarm_has_its_page_and_every_page_its_alarm(large: Template) -> None:
    named = {runbook_of(alarm) for alarm in all_alarms(large).values()}
    assert named == {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("[a-z]*.md")), ids=lambda page: str(page.stem))
def test_a_page_says_what_it_means_how_to_look_how_to_mend_and_how_to_know(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.stem}\n")
    assert tuple(re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)) == PARTS
    assert f"]({page.name})" in (RUNBOOKS / "README.md").read_text(encoding="utf-8")


def test_alarms_are_named_under_the_environment_by_their_page(large: Template) -> None:
    names = [alarm["AlarmName"] for alarm in all_alarms(large).values()]
    assert len(set(names)) == len(names)
    for alarm in all_alarms(large).values():
        assert f"{alarm['AlarmName']}-".startswith(f"{application_stack('dev')}-{runbook_of(alarm)}-")


def test_what_informs_and_what_pages_goes_to_topics_of_their_own(large: Template) -> None:
    topics = {topic: {"Ref": large.raw["Outputs"][f"{topic}TopicArn"]["Value"]["Ref"]} for topic in ("Alarms", "Pages")}
    assert topics["Alarms"] != topics["Pages"]
    for alarm in large.of_type(ALARM).values():
        assert (alarm["AlarmActions"], "Severity: inform." in alarm["AlarmDescription"]) == ([topics["Alarms"]], True)
    for page in large.of_type(COMPOSITE).values():
        assert page["AlarmActions"] == page["OKActions"] == [topics["Pages"]]
        assert "Severity: page." in page["AlarmDescription"]


def test_each_address_in_the_settings_is_told_of_its_own(large: Template) -> None:
    told = {each["Endpoint"]: each["TopicArn"] for each in large.of_type("AWS::SNS::Subscription").values()}
    outputs = large.raw["Outputs"]
    assert told == {
        "team@example.com": outputs["AlarmsTopicArn"]["Value"],
        "on-call@example.com": outputs["PagesTopicArn"]["Value"],
    }


def test_thresholds_are_those_in_the_settings(template: Template, large: Template) -> None:
    ages = [
        {alarm["Threshold"] for alarm in made.of_type(ALARM).values() if runbook_of(alarm) == "queue-age"}
        for made in (template, large)
    ]
    assert ages == [{20 * 60}, {60 * 60}]


def test_topics_are_encrypted_and_alarms_may_use_them(template: Template) -> None:
    key, properties = template.only("AWS::KMS::Key")
    assert properties["EnableKeyRotation"] is True
    topics = template.of_type("AWS::SNS::Topic")
    assert [target_of(topic["KmsMasterKeyId"]) for topic in topics.values()] == [key, key]
    policies = [each["PolicyDocument"] for each in template.of_type("AWS::SNS::TopicPolicy").values()]
    assert len(policies) == len(topics)
    documents: list[tuple[Properties, list[str], Properties | None]] = [
        (properties["KeyPolicy"], ["kms:Decrypt", "kms:GenerateDataKey*"], None)
    ]
    for policy in policies:
        [refused] = [each for each in policy["Statement"] if each["Effect"] == "Deny"]
        assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        documents.append((policy, ["sns:Publish"], {"StringEquals": {"aws:SourceAccount": EMULATOR_ACCOUNT}}))
    for document, actions, condition in documents:
        [ours] = [each for each in document["Statement"] if "Service" in each["Principal"]]
        assert ours["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert (listed(ours["Action"]), ours.get("Condition")) == (actions, condition)


def test_no_two_alarms_look_at_the_same(large: Template) -> None:
    seen = Counter(repr(sorted(map(repr, metrics_of(alarm)))) for alarm in large.of_type(ALARM).values())
    assert [metrics for metrics, count in seen.items() if count > 1] == []


def test_an_alarm_looks_at_ten_metrics_at_most_and_at_a_day_at_most(large: Template) -> None:
    """CloudWatch takes no more."""
    for alarm in large.of_type(ALARM).values():
        assert len(metrics_of(alarm)) <= 10, alarm["AlarmName"]
        [period] = periods_of(alarm)
        assert period * alarm["EvaluationPeriods"] <= 24 * 3600, alarm["AlarmName"]


def test_silence_rings_where_it_is_the_failure_alone(large: Template) -> None:
    treated = {alarm["AlarmName"]: alarm["TreatMissingData"] for alarm in large.of_type(ALARM).values()}
    assert {name: each for name, each in treated.items() if each != "notBreaching"} == SILENCE | KEPT


# Pages


def test_what_a_customer_can_provoke_alone_pages_nobody(large: Template) -> None:
    """No 4xx, no order that is refused or cancelled, no message that its sender spoilt, no e-mail that bounces."""
    for alarms in paged(large).values():
        for metric in (metric for alarm in alarms for metric in metrics_of(alarm)):
            assert metric["MetricName"] in IN_PAGES
            dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
            if metric["MetricName"] == "DeadLetterStored":
                assert dimensions["cause"] == "ours"
            if metric["MetricName"] == "Errors":
                assert target_of(dimensions["FunctionName"]) == "Sweep", "a refusal is an error of a saga's service"


def test_messages_that_their_senders_spoilt_ring_nothing(large: Template) -> None:
    assert {of_one(alarm)["cause"] for alarm in alarms_on(large, "DeadLetterStored")} == {"ours"}


def test_orders_that_do_not_flow_page_whoever_stops_them(template: Template) -> None:
    names = {
        alarm["AlarmName"].removeprefix("OrderPipeline-dev-")
        for alarm in paged(template)["OrderPipeline-dev-orders-do-not-flow"]
    }
    assert names == {
        "api-takes-no-orders",
        "rule-failures-intake-and-sagas",
        "intake-stopped",
        "dead-letters-order_intake",
        "dead-letters-outbox",
        "stream-behind-outbox",
        "executions-failed-OrderSaga",
        "orders-without-outcome",
        "sweep-not-running",
    }


def test_money_that_is_not_paid_back_pages(template: Template) -> None:
    names = {
        alarm["AlarmName"].removeprefix("OrderPipeline-dev-")
        for alarm in paged(template)["OrderPipeline-dev-money-does-not-balance"]
    }
    assert names == {"executions-failed-OrderCancellation", "cancellations-without-answer"}


def test_a_saga_that_failed_and_the_order_that_stands_still_for_it_are_one_page(template: Template) -> None:
    """The first alarm lasts until the second rings."""
    [without] = alarms_on(template, "OrderWithoutOutcome")
    [failed] = [each for each in alarms_on(template, "ExecutionsFailed") if each["AlarmName"].endswith("-OrderSaga")]
    assert failed["DatapointsToAlarm"] == 1
    assert failed["Period"] * failed["EvaluationPeriods"] * 1000 > without["Threshold"]


def test_what_happens_again_within_half_an_hour_is_one_page(template: Template) -> None:
    """Of what is counted as it happens; the others last as long as what they look at."""
    counted = {"DeadLetterStored", "FailedInvocations", "ExecutionsFailed"}
    for alarm in (alarm for alarms in paged(template).values() for alarm in alarms):
        if counted & {metric["MetricName"] for metric in metrics_of(alarm)}:
            [period] = periods_of(alarm)
            assert (alarm["DatapointsToAlarm"], period * alarm["EvaluationPeriods"] >= 1800) == (1, True)


# Layers


def test_each_queue_has_alarms_on_its_age_and_dead_letter_queues_before_sqs_stops_counting(template: Template) -> None:
    queues = template.of_type("AWS::SQS::Queue")
    ages: dict[str, float] = {}
    for alarm in alarms_on(template, "ApproximateAgeOfOldestMessage"):
        for metric in metrics_of(alarm):
            if metric["MetricName"] == "ApproximateAgeOfOldestMessage":
                ages.setdefault(target_of(metric["Dimensions"][0]["Value"]), alarm["Threshold"])
    assert ages.keys() == queues.keys()
    for name, queue in queues.items():
        if "RedrivePolicy" in queue:
            assert ages[name] > LONGEST_SECONDS, "what is postponed waits as long"
        else:
            # SQS no longer counts the age of what was received more than three times.
            assert queue["VisibilityTimeout"] < ages[name] < 3 * queue["VisibilityTimeout"]


def test_intake_has_stopped_only_where_nothing_is_taken(template: Template) -> None:
    [stopped] = alarms_on(template, "NumberOfMessagesDeleted")
    assert {target_of(each["Dimensions"][0]["Value"]) for each in metrics_of(stopped)} == {"OrderIntakeQueue"}
    [expression] = [each["Expression"] for each in stopped["Metrics"] if "Expression" in each]
    assert expression == "IF(age >= 1200 AND FILL(taken, 0) < 1, 1, 0)"


def test_each_source_of_dead_letters_has_an_alarm_on_what_the_storing_function_counts(template: Template) -> None:
    alarms = [of_one(alarm) for alarm in alarms_on(template, "DeadLetterStored")]
    keys = [function.key for function in FUNCTIONS if function.has_dead_letter_queue]
    assert sorted(each["source"] for each in alarms) == sorted(
        [*keys, "saga_start", "cancellation_start", "audit_copy"]
    )
    variables = template.of_type("AWS::Lambda::Function")["DeadLetters"]["Environment"]["Variables"]
    assert {each["service"] for each in alarms} == {variables["POWERTOOLS_SERVICE_NAME"]}
    assert all(each.keys() == {"service", "source", "cause"} for each in alarms)


def test_messages_that_are_postponed_for_an_hour_ring(template: Template) -> None:
    alarms = alarms_on(template, "MessagesPostponed")
    assert {of_one(alarm)["service"] for alarm in alarms} == {
        each.key for each in FUNCTIONS if isinstance(each.trigger, Subscription) and each.trigger.postpones
    }
    for alarm in alarms:
        assert alarm["Period"] * alarm["EvaluationPeriods"] == 3600
        assert alarm["Period"] > LONGEST_SECONDS, "whoever waits is counted in each period"


def test_errors_are_those_of_functions_that_something_feeds(template: Template) -> None:
    """Those that sagas and the API call are seen by who calls them; the sweep has an alarm of its own."""
    watched = {
        target_of(metric["Dimensions"][0]["Value"])
        for alarm in alarms_on(template, "Errors")
        for metric in metrics_of(alarm)
    }
    fed = {each.name for each in FUNCTIONS if each.queued or isinstance(each.trigger, TableChanges)}
    assert watched == fed | {"DeadLetters", "Sweep"}


def test_a_late_stream_rings_long_before_records_are_gone(template: Template) -> None:
    late = {
        target_of(alarm["Dimensions"][0]["Value"]): alarm["Threshold"] for alarm in alarms_on(template, "IteratorAge")
    }
    assert set(late) == {each.name for each in FUNCTIONS if isinstance(each.trigger, TableChanges)}
    assert all(milliseconds <= 3600 * 1000 for milliseconds in late.values())


def test_every_index_and_both_tables_are_watched_for_throttling(template: Template) -> None:
    [alarm] = alarms_on(template, "WriteThrottleEvents")
    watched = {
        (
            metric["MetricName"],
            *(
                each["Value"] if isinstance(each["Value"], str) else target_of(each["Value"])
                for each in metric["Dimensions"]
            ),
        )
        for metric in metrics_of(alarm)
    }
    indexes = template.of_type("AWS::DynamoDB::Table")["Orders"]["GlobalSecondaryIndexes"]
    assert watched == {
        *((f"{what}ThrottleEvents", table) for what in ("Read", "Write") for table in ("Orders", "Vault")),
        *(("WriteThrottleEvents", index["IndexName"], "Orders") for index in indexes),
    }


def test_rules_are_named_as_cloudwatch_names_them(template: Template) -> None:
    """On a bus of its own, a rule is `<bus>|<rule>` to CloudFormation; its ARN ends in both."""
    rules = template.of_type("AWS::Events::Rule")
    for metric in (metric for alarm in alarms_on(template, "FailedInvocations") for metric in metrics_of(alarm)):
        dimensions = {each["Name"]: each["Value"]["Fn::Select"] for each in metric["Dimensions"]}
        [rule] = {target_of(split["Fn::Split"][1]) for _, split in dimensions.values()}
        on_default = rules[rule]["EventBusName"] == "default"
        parts = {name: index for name, (index, _) in dimensions.items()}
        assert parts == ({"RuleName": 1} if on_default else {"EventBusName": 1, "RuleName": 2})


def test_each_state_machine_has_an_alarm_on_executions_that_fail(template: Template) -> None:
    machines = template.of_type("AWS::StepFunctions::StateMachine")
    watched = {
        (metric["MetricName"], target_of(metric["Dimensions"][0]["Value"]))
        for name in ("ExecutionsFailed", "ExecutionsTimedOut")
        for alarm in alarms_on(template, name)
        for metric in metrics_of(alarm)
    }
    [express] = [name for name, machine in machines.items() if machine["StateMachineType"] == "EXPRESS"]
    # The others have all the time there is.
    assert watched == {("ExecutionsTimedOut", express), *(("ExecutionsFailed", name) for name in machines)}


def test_the_sweeps_metrics_ring(template: Template) -> None:
    thresholds = {
        name: (alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"])
        for name in ("OrderWithoutOutcome", "CancellationWithoutAnswer", "SagasStarted", "Paused")
        for alarm in alarms_on(template, name)
        if of_one(alarm) == {"service": "sweep"}
    }
    assert thresholds == {
        "OrderWithoutOutcome": (30 * 60 * 1000, 300, 1),
        "CancellationWithoutAnswer": (30 * 60 * 1000, 300, 1),
        "SagasStarted": (5, 300, 1),
        "Paused": (1, 3600, 6),
    }


def test_the_reputation_of_e_mails_rings_where_ses_begins_to_review(template: Template) -> None:
    rates = {"Reputation.BounceRate": 0.05, "Reputation.ComplaintRate": 0.001}
    for name, share in rates.items():
        [alarm] = alarms_on(template, name)
        assert (alarm["Namespace"], alarm["Threshold"]) == ("AWS/SES", pytest.approx(share))
        assert of_one(alarm) == {"ses:configuration-set": application_stack("dev")}


def test_a_late_audit_copy_rings(template: Template) -> None:
    stream, _ = template.only("AWS::KinesisFirehose::DeliveryStream")
    [late] = alarms_on(template, "DeliveryToS3.DataFreshness")
    assert (target_of(of_one(late)["DeliveryStreamName"]), late["Threshold"]) == (stream, 900)
