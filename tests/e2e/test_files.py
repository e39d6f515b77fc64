"""Files dropped into the bucket of the deployed pipeline: what they hold comes out in a report, whatever happens."""

import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.functions import FUNCTIONS
from infra.local.pipeline import Pipeline, pipeline
from infra.local.runner.audit_input import read_dead_letters, read_table
from tests.e2e.test_run import REAL_ORDERS

SECONDS = 60
SHORT, LONG = 6, 360
"""Seconds until a message whose function died is delivered again: less than on AWS, and as many as there."""
ORDERS, RETURNING, AT = 6_000, 17, 200


@pytest.fixture(scope="module")
def deployed() -> Iterator[Pipeline]:
    with pipeline() as running:
        yield running


def set_visibility(on: Pipeline, seconds: int) -> None:
    on.client("sqs").set_queue_attributes(
        QueueUrl=on.queue_url("file_import"), Attributes={"VisibilityTimeout": str(seconds)}
    )


def drop(on: Pipeline, path: str, content: str) -> None:
    on.client("s3").put_object(Bucket=on.outputs["FilesBucketName"], Key=f"incoming/{path}", Body=content.encode())


def report(on: Pipeline, path: str) -> dict[str, Any]:
    """The report of a file, once its import has ended; nothing but it and the moved file is left."""
    wait(lambda: any(key.startswith("done/") for key in keys(on)) and len(keys(on)) == 2)
    done, reported = keys(on)
    s3, bucket = on.client("s3"), on.outputs["FilesBucketName"]
    content: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=reported)["Body"].read())
    assert done == f"done/{path}/{content['version']}"
    assert reported == f"reports/{path}/{content['version']}.json"
    for key in (done, reported):
        s3.delete_object(Bucket=bucket, Key=key)
    return content


def keys(on: Pipeline) -> list[str]:
    listed = on.client("s3").list_objects_v2(Bucket=on.outputs["FilesBucketName"])
    return [found["Key"] for found in listed.get("Contents", [])]


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_there(on: Pipeline, key: dict[str, Any]) -> bool:
    return "Item" in on.client("dynamodb").get_item(TableName=on.table_name, Key=key)


def importers(on: Pipeline) -> list[int]:
    """The processes of the function."""
    [spec] = [function for function in FUNCTIONS if function.key == "file_import"]
    module = spec.handler.removesuffix(".handler").replace(".", "/")
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            code = path.readlink()
            if code.is_relative_to(on.emulator.home) and list(code.glob(f"{module}.py*")):
                found.append(int(path.parent.name))
    return found


def test_real_orders_dropped_as_a_file_are_placed_and_reported(deployed: Pipeline) -> None:
    drop(deployed, "demo/uci/2010-12-01.csv", REAL_ORDERS)
    found = report(deployed, "demo/uci/2010-12-01.csv")
    assert (found["file"], found["error"]) == ("incoming/demo/uci/2010-12-01.csv", None)
    assert (found["rows"], found["accepted"], found["rejected_count"]) == (7, 3, 2)
    assert [(each["order_id"], each["rows"], each["reasons"]) for each in found["rejected"]] == [
        ("C536379", [5, 5], [{"row": 5, "field": "quantity", "message": "Input should be greater than 0"}]),
        ("536589", [8, 8], [{"row": 8, "field": "quantity", "message": "Input should be greater than 0"}]),
    ]
    for order_id in ("536365", "536414", "536540"):
        key = {"PK": {"S": f"order#demo.{order_id}"}, "SK": {"S": "event#0000000001"}}
        wait(partial(is_there, deployed, key))


def test_a_file_nobody_can_read_is_reported_and_moved_all_the_same(deployed: Pipeline) -> None:
    drop(deployed, "demo/acme/orders.csv", REAL_ORDERS)
    assert report(deployed, "demo/acme/orders.csv")["error"] == "there is no profile 'acme'; there is: uci"


@pytest.mark.parametrize("path", ["uci/orders.csv", "orders.csv"])
def test_a_file_in_nobodys_folder_is_reported_and_places_nothing(deployed: Pipeline, path: str) -> None:
    drop(deployed, path, REAL_ORDERS.replace("\n5", "\nN5"))
    found = report(deployed, path)
    assert found["error"] == f"a file goes into the folder of its shop, incoming/<shop>/; incoming/{path} is in none"
    assert (found["rows"], found["accepted"], found["rejected_count"]) == (0, 0, 0)
    assert not [stream for stream, _ in read_table(deployed).log if "N536" in stream]


def test_a_function_killed_in_the_middle_of_a_file_changes_nothing_in_the_end(deployed: Pipeline) -> None:
    orders_queue = stopped_intake(deployed)
    header, first, *_ = REAL_ORDERS.splitlines()
    rest = first.partition(",")[2]
    rows = [f"A{number},{rest}" for number in range(ORDERS) for _ in range(2)]
    rows += [f"A{number},{rest}" for number in range(RETURNING)]
    set_visibility(deployed, SHORT)
    drop(deployed, "demo/uci/large.csv", "\n".join([header, *rows]))

    wait(lambda: len_of(deployed, orders_queue) >= AT)
    for process in importers(deployed):
        os.kill(process, signal.SIGKILL)
    set_visibility(deployed, LONG)  # however slow the machine, there is one delivery at a time from now on
    assert "incoming/demo/uci/large.csv" in keys(deployed)

    found = report(deployed, "demo/uci/large.csv")
    assert (found["error"], found["rows"]) == (None, len(rows))
    assert (found["accepted"], found["rejected_count"]) == (ORDERS, RETURNING)
    assert found["rejected"][0]["reasons"][0]["message"] == "returns to the order that began in row 2"
    sent = Counter(received(deployed, orders_queue))
    assert sent.keys() == {f"A{number}" for number in range(ORDERS)}
    assert sent.total() <= ORDERS + 100
    assert len_of(deployed, deployed.dead_letter_queue_url("file_import")) == 0
    assert read_dead_letters(deployed) == {}


def stopped_intake(on: Pipeline) -> str:
    """Let nobody take messages from order intake's queue any more; returns it."""
    functions = on.client("lambda")
    url = on.queue_url("order_intake")
    mappings = functions.list_event_source_mappings(FunctionName=on.function_name("order_intake"))
    for mapping in mappings["EventSourceMappings"]:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    return url


def len_of(on: Pipeline, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(on.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def received(on: Pipeline, url: str) -> Iterator[str]:
    """The ids of the orders in the queue."""
    sqs = on.client("sqs")
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            yield json.loads(message["Body"])["detail"]["order_id"]
