"""The emulator's process: it starts, and nothing of it is ever left."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.local.emulator import process as emulators
from infra.local.emulator.process import ACCOUNT, HOST, REGION, Emulator, EmulatorError
from infra.local.transform import function_zip
from tests.conftest import WAIT_SCALE

HOLD_ONE = """
import sys
from infra.local.emulator.process import emulator
with emulator() as running:
    print(running.port, running.pid, running.home, flush=True)
    sys.stdin.read()
"""


def gone(running: Emulator, within: float = 15.0) -> bool:
    """Whether its process, its port and its folder are gone, at the latest after `within` seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            port_free = probe.connect_ex((HOST, running.port)) != 0
        if port_free and not Path(running.home).exists() and not alive(running.pid):
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # In a container without an init, an orphan stays as a zombie: dead, but not reaped.
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def listening(running: Emulator) -> set[str]:
    """The addresses that its process listens on."""
    sockets = {str(each.readlink()) for each in Path(f"/proc/{running.pid}/fd").iterdir() if each.is_symlink()}
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return {line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets}


def test_it_listens_on_its_port_of_the_loopback_interface_alone(emulator: Emulator) -> None:
    assert listening(emulator) == {f"0100007F:{emulator.port:04X}"}


def test_it_ends_with_its_block() -> None:
    with emulators.emulator() as running:
        assert running.client("s3").list_buckets()["Buckets"] == []
    assert gone(running, within=1)
    assert not running.log.exists()


def test_it_ends_when_the_block_fails_and_its_log_stays() -> None:
    with pytest.raises(ZeroDivisionError), emulators.emulator() as running:
        raise ZeroDivisionError
    assert gone(running, within=1)
    assert running.log.exists()
    running.log.unlink()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_the_process_that_started_it_is_killed(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as holder:
        assert holder.stdout
        port, pid, home = holder.stdout.readline().decode().split()
        running = Emulator(int(port), int(pid), home)
        assert alive(running.pid)
        holder.send_signal(how)
    assert gone(running)
    running.log.unlink(missing_ok=True)  # if the block ended before the signal came, all went well


def test_a_taken_port_is_said_to_be_taken() -> None:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(EmulatorError, match=f"port {port} is taken"), emulators.emulator(port):
            pass


def test_one_can_stay_up_and_be_found_and_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulators, "UP", tmp_path / "emulator.json")
    assert emulators.find() is None
    assert not emulators.stop()
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    started = emulators.start(port)
    try:
        assert emulators.find() == started
        with pytest.raises(EmulatorError, match="up already"):
            emulators.start(port)
    finally:
        assert emulators.stop()
    assert gone(started, within=1)
    assert emulators.find() is None
    started.log.unlink()


def test_a_file_left_by_one_that_died_is_known_as_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulators, "UP", tmp_path / "emulator.json")
    emulators.UP.write_text(f'{{"port": 1, "pid": {os.getpid()}, "home": "{tmp_path}/gone"}}')
    assert emulators.find() is None
    assert not emulators.stop()


def test_versions_of_objects_are_told_of_and_read_in_parts_as_on_aws(emulator: Emulator) -> None:
    name = "emulator-versions"
    s3, sqs, events = (emulator.client(service) for service in ("s3", "sqs", "events"))
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}])

    version = s3.put_object(Bucket=name, Key="a", Body=b"0123456789")["VersionId"]
    [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    assert json.loads(message["Body"])["detail"]["object"]["version-id"] == version

    s3.put_object(Bucket=name, Key="a", Body=b"other")
    part = s3.get_object(Bucket=name, Key="a", VersionId=version, Range="bytes=7-")
    assert (part["ContentRange"], part["Body"].read()) == ("bytes 7-9/10", b"789")
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket=name, Key="a", VersionId=version, Range="bytes=10-")


def test_events_reach_firehose_which_writes_what_comes_together_as_one_object(emulator: Emulator) -> None:
    name = "emulator-firehose"
    s3, firehose, events = (emulator.client(service) for service in ("s3", "firehose", "events"))
    s3.create_bucket(Bucket=name)
    stream = firehose.create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/any",
            "BucketARN": f"arn:aws:s3:::{name}",
            "Prefix": "events/!{timestamp:yyyy/MM/dd}/",
        },
    )["DeliveryStreamARN"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "firehose", "Arn": stream}])

    entries = [{"Source": name, "DetailType": "Told", "Detail": json.dumps({"number": number})} for number in range(3)]
    events.put_events(Entries=entries)

    deadline = time.monotonic() + 10
    while not (found := s3.list_objects_v2(Bucket=name).get("Contents", [])) and time.monotonic() < deadline:
        time.sleep(0.05)
    [written] = found
    assert re.match(r"events/\d{4}/\d\d/\d\d/", written["Key"])
    text = s3.get_object(Bucket=name, Key=written["Key"])["Body"].read().decode()
    told = [json.loads(each) for each in text.replace("}{", "}\n{").splitlines()]
    assert [(each["detail-type"], each["detail"]["number"]) for each in told] == [("Told", n) for n in range(3)]


WRITES_HOW_MANY = """
import os

def handler(event, context):
    with open(os.environ["BATCHES"], "a") as batches:
        print(len(event["Records"]), file=batches)
"""


def creates_writing(emulator: Emulator, name: str, folder: Path) -> Path:
    """Creates a function that writes how many records each of its batches has; returns where."""
    batches = folder / "batches"
    batches.touch()
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        archive.writestr("writes.py", WRITES_HOW_MANY)
    emulator.client("lambda").create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Role=emulator.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"],
        Handler="writes.handler",
        Code={"ZipFile": function_zip((folder / "code.zip").read_bytes())},
        Environment={"Variables": {"BATCHES": str(batches)}},
    )
    return batches


def test_batches_are_as_large_as_their_mapping_allows_and_gathered_for_its_window(
    emulator: Emulator, tmp_path: Path
) -> None:
    batches = creates_writing(emulator, "batching", tmp_path)
    sqs, functions = emulator.client("sqs"), emulator.client("lambda")
    url = sqs.create_queue(QueueName="batching")["QueueUrl"]

    def send(count: int) -> None:
        for start in range(0, count, 10):
            entries = [{"Id": str(each), "MessageBody": "m"} for each in range(start, min(count, start + 10))]
            sqs.send_message_batch(QueueUrl=url, Entries=entries)

    send(25)
    mapping = functions.create_event_source_mapping(
        EventSourceArn=sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"],
        FunctionName="batching",
        BatchSize=25,
        MaximumBatchingWindowInSeconds=int(2 / WAIT_SCALE),
    )
    assert written(batches, 1) == ["25"]
    send(2)
    send(3)
    assert written(batches, 2) == ["25", "5"]
    functions.delete_event_source_mapping(UUID=mapping["UUID"])


def test_changes_of_a_table_are_gathered_for_the_window_of_their_mapping(emulator: Emulator, tmp_path: Path) -> None:
    batches = creates_writing(emulator, "streaming", tmp_path)
    dynamodb, functions = emulator.client("dynamodb"), emulator.client("lambda")
    stream = dynamodb.create_table(
        TableName="streaming",
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]["LatestStreamArn"]

    def put(*items: str) -> None:
        for item in items:
            dynamodb.put_item(TableName="streaming", Item={"PK": {"S": item}})

    put("a", "b")
    mapping = functions.create_event_source_mapping(
        EventSourceArn=stream,
        FunctionName="streaming",
        StartingPosition="TRIM_HORIZON",
        BatchSize=4,
        MaximumBatchingWindowInSeconds=int(2 / WAIT_SCALE),
    )
    put("c")
    assert written(batches, 1) == ["3"]
    put("d", "e", "f", "g", "h", "i")
    assert written(batches, 3) == ["3", "4", "2"]
    functions.delete_event_source_mapping(UUID=mapping["UUID"])


def written(file: Path, lines: int) -> list[str]:
    """What is in a file, once it has so many lines."""
    deadline = time.monotonic() + 60
    while len(found := file.read_text().splitlines()) < lines and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
