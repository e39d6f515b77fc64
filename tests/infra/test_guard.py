"""The guard: what cdk-nag finds is suppressed where it is right, and nothing else is."""

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_sqs as sqs

from infra.constructs.suppressing import Suppression, suppress, suppressions
from infra.guard import Finding, findings, problems

RULE, QUEUE = "AwsSolutions-SQS4", "Stack/Queue/Resource"
FOUND = Finding(RULE, QUEUE, "It takes messages without TLS.")


@pytest.fixture(scope="module")
def app() -> App:
    """An app with a queue that has no policy."""
    made = App(analytics_reporting=False)
    sqs.Queue(Stack(made, "Stack"), "Queue")
    made.synth()
    return made


def test_what_cdk_nag_finds_is_a_problem_until_it_is_suppressed_at_its_resource(app: App) -> None:
    found = [finding for finding in findings(app) if finding.rule == RULE]
    [problem] = problems(found, suppressions(app))
    assert problem.startswith(f"{RULE} at {QUEUE}: ")
    assert "Mend it, or say why" in problem
    suppress(app.node.find_child("Stack").node.find_child("Queue"), RULE, "It is for a test.")
    assert list(problems(found, suppressions(app))) == []


@pytest.mark.parametrize("suppressed", ["Stack/Other", "Stack/Que"])
def test_one_at_another_resource_does_not_count_and_is_told_for_it_finds_nothing(suppressed: str) -> None:
    found, unused = problems([FOUND], [Suppression(suppressed, RULE, "", "because")])
    assert found.startswith(f"{RULE} at {QUEUE}: {FOUND.what}")
    assert unused == f"{RULE} is suppressed at {suppressed}, and finds nothing there: remove that suppression."


def test_of_a_rule_that_finds_several_things_only_those_are_suppressed_that_are_named() -> None:
    rule, role = "AwsSolutions-IAM5", "Stack/Role/DefaultPolicy/Resource"
    named = [Finding(f"{rule}[{each}]", role, "Wildcards.") for each in ("Resource::<Bucket.Arn>/*", "Action::s3:*")]
    only_objects = Suppression("Stack/Role", rule, "/*", "because")
    [left] = problems(named, [only_objects])
    assert left.startswith("AwsSolutions-IAM5[Action::s3:*] at ")
    [_, unused] = problems(named[1:], [only_objects])
    assert "finds nothing there that ends with /*" in unused
