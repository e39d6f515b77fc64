"""Pausing functions and feeding them again, and what `pipeline status` says of the pipeline as a whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber
from typer.testing import Result

from handlers.operations.errors import OperationFailed
from handlers.operations.pausing import Feeds, Pause, is_any_paused
from handlers.runtime import aws
from handlers.table.event_store import EventStore
from infra.cli.connection import Connection
from infra.cli.feeds import PAUSABLE
from tests.builders.commands import run_command
from tests.builders.environment import OUTPUTS
from tests.builders.executions import sagas
from tests.builders.feeds import client, create_functions

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OPERATOR = "arn:aws:sts::123456789012:assumed-role/operators/jo@example.com"
BY_MOTO = "arn:aws:sts::123456789012:user/moto"
"""Who runs the commands, as moto says."""


@pytest.fixture
def functions(environment: None, monkeypatch: pytest.MonkeyPatch) -> LambdaClient:
    """Every function that can be paused, with its queue and what feeds it."""
    monkeypatch.setattr(Connection, "outputs", {**OUTPUTS, **create_functions()})
    made: LambdaClient = client("lambda")
    return made


@pytest.fixture
def feeds(functions: LambdaClient) -> Feeds:
    return Feeds(functions, {key: key for key in PAUSABLE}, poll_seconds=0)


def state(functions: LambdaClient, function: str) -> str:
    [feed] = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    return feed["State"]


def rows(result: Result) -> dict[str, list[str]]:
    assert result.exit_code == 0, result.stderr
    return {name: cells for name, *cells in (line.split("\t") for line in result.stdout.splitlines())}


# The use case


def test_a_paused_function_is_not_fed_and_is_remembered_with_when_and_by_whom(
    functions: LambdaClient, feeds: Feeds
) -> None:
    assert feeds.pause("order_emails", operator=OPERATOR, now=NOW) is None
    assert feeds.paused() == {"order_emails": Pause(NOW, OPERATOR)}
    assert (state(functions, "order_emails"), state(functions, "order_intake")) == ("Disabled", "Enabled")


def test_whether_one_of_some_functions_is_paused(functions: LambdaClient, feeds: Feeds) -> None:
    assert not is_any_paused(functions, PAUSABLE)
    feeds.pause("order_emails", operator=OPERATOR, now=NOW)
    assert is_any_paused(functions, PAUSABLE)
    assert not is_any_paused(functions, PAUSABLE.keys() - {"order_emails"}), "functions of others are not asked about"


def test_every_page_of_what_feeds_functions_is_read(functions: LambdaClient) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:order_emails:live"
    with Stubber(functions) as stub:
        stub.add_response("list_event_source_mappings", {"EventSourceMappings": [], "NextMarker": "more"}, {})
        feed = {"FunctionArn": arn, "State": "Disabled"}
        stub.add_response("list_event_source_mappings", {"EventSourceMappings": [feed]}, {"Marker": "more"})
        assert is_any_paused(functions, ["order_emails"])


def test_a_second_pause_changes_nothing(feeds: Feeds) -> None:
    feeds.pause("order_emails", operator=OPERATOR, now=NOW)
    assert feeds.pause("order_emails", operator="somebody else", now=NOW + timedelta(days=1)) == Pause(NOW, OPERATOR)
    assert feeds.paused() == {"order_emails": Pause(NOW, OPERATOR)}


def test_after_a_pause_a_function_is_fed_again_and_nothing_remembers_it(functions: LambdaClient, feeds: Feeds) -> None:
    feeds.pause("order_emails", operator=OPERATOR, now=NOW)
    assert feeds.unpause("order_emails") == Pause(NOW, OPERATOR)
    assert feeds.unpause("order_emails") is None
    assert feeds.paused() == {}
    [feed] = functions.list_event_source_mappings(FunctionName="order_emails")["EventSourceMappings"]
    assert (feed["State"], functions.list_tags(Resource=feed["EventSourceMappingArn"])["Tags"]) == ("Enabled", {})


def test_what_somebody_disabled_by_hand_is_paused_by_nobody_knows_whom(functions: LambdaClient, feeds: Feeds) -> None:
    [feed] = functions.list_event_source_mappings(FunctionName="order_view")["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=feed["UUID"], Enabled=False)
    assert feeds.paused() == {"order_view": Pause(None, None)}
    assert feeds.unpause("order_view") == Pause(None, None)


def test_an_operator_whose_name_no_tag_may_hold_is_remembered_without_those_characters(feeds: Feeds) -> None:
    feeds.pause("order_view", operator="arn:aws:iam::123456789012:user/o'hara," + "x" * 300, now=NOW)
    [pause] = feeds.paused().values()
    assert pause.by
    assert pause.by.startswith("arn:aws:iam::123456789012:user/o_hara_xxx")
    assert len(pause.by) == 256


def test_a_change_under_way_is_waited_for_and_so_is_the_end_of_the_pollers() -> None:
    uuid = "00000000-0000-4000-8000-000000000000"
    arn = f"arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{uuid}"

    def feed(state: str) -> dict[str, Any]:
        alias = "arn:aws:lambda:us-east-1:123456789012:function:name:live"
        made = {"UUID": uuid, "EventSourceMappingArn": arn, "FunctionArn": alias, "State": state}
        return {"EventSourceMappings": [made]}

    with Stubber(client("lambda")) as answers:
        for state in ("Updating", "Enabled"):
            answers.add_response("list_event_source_mappings", feed(state))
        answers.add_response("tag_resource", {})
        answers.add_response("update_event_source_mapping", {}, {"UUID": uuid, "Enabled": False})
        for state in ("Disabling", "Disabling", "Disabled"):
            answers.add_response("list_event_source_mappings", feed(state))
        feeds = Feeds(client("lambda"), {"order_view": "name"}, poll_seconds=0)
        assert feeds.pause("order_view", operator=OPERATOR, now=NOW) is None
        answers.assert_no_pending_responses()


def test_without_what_feeds_it_a_function_cannot_be_paused(functions: LambdaClient, feeds: Feeds) -> None:
    [feed] = functions.list_event_source_mappings(FunctionName="order_view")["EventSourceMappings"]
    functions.delete_event_source_mapping(UUID=feed["UUID"])
    with pytest.raises(OperationFailed, match="nothing feeds order_view"):
        feeds.pause("order_view", operator=OPERATOR, now=NOW)


# The commands


def test_a_pause_is_said_with_how_to_end_it(functions: LambdaClient) -> None:
    result = run_command("pause", "order_emails")
    assert (result.exit_code, result.stdout) == (0, "paused order_emails: its messages wait, for 14 days at most\n")
    assert result.stderr == "to feed it again: pipeline unpause order_emails\n"

    again = run_command("pause", "order_emails")
    assert again.exit_code == 0
    assert again.stdout.startswith("order_emails is paused already, since 20")
    assert again.stdout.endswith(f" by {BY_MOTO}\n")

    ended = run_command("unpause", "order_emails")
    assert ended.stdout.startswith("unpaused order_emails: it was paused since 20")
    assert run_command("unpause", "order_emails").stdout == "order_emails is not paused\n"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("emails", "there is no function 'emails'; these can be paused: counting_projections, delivery_intake"),
        ("payments_service", "payments_service has no queue of its own; these can be paused: counting_projections"),
        ("outbox", "outbox cannot be paused: it follows the table's stream, which keeps changes for 24 hours only"),
        ("daily_sales", "daily_sales is updated by counting_projections, with all that count: name that"),
        ("stock_watch", "stock_watch cannot be paused: it follows the table's stream"),
    ],
)
@pytest.mark.parametrize("command", ["pause", "unpause"])
def test_what_cannot_be_paused_is_refused_with_the_reason(command: str, name: str, why: str) -> None:
    result = run_command(command, name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(why)
    assert len(result.stderr.splitlines()) == 1


def test_the_status_of_the_pipeline_says_what_waits_where_and_what_is_paused(functions: LambdaClient) -> None:
    sagas()
    run_command("pause", "order_intake")
    for number in range(3):
        aws.sqs().send_message(QueueUrl=Connection().outputs["OrderIntakeQueueUrl"], MessageBody=str(number))
    dimensions = [{"Name": "QueueName", "Value": "order_intake-queue"}]
    age = {"MetricName": "ApproximateAgeOfOldestMessage", "Dimensions": dimensions, "Unit": "Seconds"}
    measured = datetime.now(UTC) - timedelta(minutes=3)
    client("cloudwatch").put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {**age, "Timestamp": measured, "Value": 3 * 86_400 + 4 * 3600 + 5},
            {**age, "Timestamp": measured - timedelta(minutes=5), "Value": 5},
        ],
    )

    found = rows(run_command("status"))
    assert found.keys() == PAUSABLE.keys()
    waiting, processed, oldest, paused = found["order_intake"]
    assert (waiting, processed, oldest) == ("3", "0", "3d 4h")
    assert paused.startswith("paused since 20")
    assert paused.endswith(f"by {BY_MOTO}")
    assert found["order_view"] == ["0", "0", "", ""]


def test_watching_needs_an_order() -> None:
    result = run_command("status", "--watch")
    assert (result.exit_code, result.stderr) == (2, "--watch follows an order: name one\n")


def test_a_paused_projection_is_not_rebuilt(functions: LambdaClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "outputs", {**Connection().outputs, "RebuildStateMachineArn": "arn"})
    run_command("pause", "counting_projections")
    result = run_command("rebuild", "daily_sales")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("counting_projections is paused since 20")
    assert result.stderr.endswith("before daily_sales can be rebuilt: pipeline unpause counting_projections\n")


def test_to_pause_a_projection_that_is_being_rebuilt_is_warned_about(
    functions: LambdaClient, store: EventStore
) -> None:
    Connection().generations.change("daily_sales", lambda known: known.opened(restart=False))
    assert "daily_sales is being rebuilt: that may fail" in run_command("pause", "counting_projections").stderr
