"""Searches everything that a pipeline on this machine keeps for marks: texts that stand in personal data.

How it works: every store is read as bytes: tables, every version of every object, messages in queues, logs, histories
of executions, the emulator's own files, and, if wanted, the archive, by a replay. What is compressed is unpacked. Each
text is read as it is, without JSON's escapes, without those of URLs, and, where it may be base64, decoded.

Its limits: what SES has sent is out of the house; nothing here has backups; memory is not searched.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import re
import time
import urllib.request
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from uuid import uuid4

from handlers.operations.temporary_queue import open_queue
from infra.local.deploy import BUCKET as OF_THE_DEPLOYMENT
from infra.local.emulator.process import ACCOUNT, REGION
from infra.local.pipeline import Pipeline

_MARK = re.compile("zq([0-9]{4})ñ?([a-z]+)qz")
_BEGINNING = "zq"
_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_DEPTH = 3
_PACKAGES = ("ministack-lambda-extract-", "ministack-provided-code-")
_SECONDS = 120.0


class Mark(NamedTuple):
    """Whose it is, and the field that it stands in."""

    person: int
    field: str

    @property
    def text(self) -> str:
        """The mark, with a letter that JSON may escape."""
        return f"zq{self.person:04d}ñ{self.field}qz"

    @property
    def plain(self) -> str:
        """The mark in letters that may stand in an e-mail address."""
        return f"zq{self.person:04d}{self.field}qz"


def marks_in(data: bytes, depth: int = _DEPTH) -> set[Mark]:
    """The marks in some bytes, packed and encoded in whatever way, one inside the other up to a depth."""
    if not depth:
        return set()
    if data.startswith(b"\x1f\x8b"):
        return marks_in(gzip.decompress(data), depth - 1)
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            return {mark for name in packed.namelist() for mark in marks_in(packed.read(name), depth - 1)}
    text = data.decode(errors="replace")
    unescaped = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
    found = {
        Mark(int(person), field)
        for reading in (text, unescaped, unquote_plus(unescaped))
        if _BEGINNING in reading
        for person, field in _MARK.findall(reading)
    }
    for encoded in _BASE64.findall(data):
        found |= marks_in(_decoded(encoded), depth - 1)
    return found


def _decoded(encoded: bytes) -> bytes:
    """What may be base64, decoded; nothing where that holds no mark, nor may be packed."""
    try:
        decoded = base64.b64decode(encoded.rstrip(b"=") + b"==", altchars=b"-_" if {45, 95} & set(encoded) else None)
    except binascii.Error:
        return b""
    return decoded if _BEGINNING.encode() in decoded or decoded.startswith((b"\x1f\x8b", b"PK\x03\x04")) else b""


def search(pipeline: Pipeline, *, archive: bool = False) -> dict[Mark, set[str]]:
    """Every mark there is, and the stores that it is in."""
    found: dict[Mark, set[str]] = defaultdict(set)
    for store, content in _stores(pipeline):
        for mark in marks_in(content):
            found[mark].add(store)
    if archive:
        for mark in {mark for event in _archived(pipeline) for mark in marks_in(event)}:
            found[mark].add("archive")
    return found


def _stores(pipeline: Pipeline) -> Iterator[tuple[str, bytes]]:
    yield from _tables(pipeline)
    yield from _objects(pipeline)
    yield from _queues(pipeline)
    yield from _logs(pipeline)
    yield from _executions(pipeline)
    yield "the emulator's log", pipeline.emulator.log.read_bytes()
    yield from _files(Path(pipeline.emulator.home))


def _files(home: Path) -> Iterator[tuple[str, bytes]]:
    """What the emulator and the functions have written, but for the functions' packages."""
    for folder in home.iterdir():
        if not folder.name.startswith(_PACKAGES):
            for file in (folder, *folder.rglob("*")):
                if file.is_file():
                    yield f"file {file.relative_to(home)}", file.read_bytes()


def _tables(pipeline: Pipeline) -> Iterator[tuple[str, bytes]]:
    client = pipeline.client("dynamodb")
    for table in client.list_tables()["TableNames"]:
        for page in client.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                yield f"table {table}", _json(item)


def _objects(pipeline: Pipeline) -> Iterator[tuple[str, bytes]]:
    client = pipeline.client("s3")
    for bucket in (each["Name"] for each in client.list_buckets()["Buckets"]):
        if bucket == OF_THE_DEPLOYMENT:
            continue
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for version in page.get("Versions", []):
                key = version["Key"]
                content = client.get_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])["Body"].read()
                yield f"bucket {bucket} {key}", content + key.encode()


def _queues(pipeline: Pipeline) -> Iterator[tuple[str, bytes]]:
    with urllib.request.urlopen(f"{pipeline.endpoint}/_ministack/sqs/messages", timeout=30) as answer:
        for queues in json.load(answer)["messages"][ACCOUNT].values():
            yield from ((f"queue {url.rpartition('/')[2]}", _json(messages)) for url, messages in queues.items())


def _logs(pipeline: Pipeline) -> Iterator[tuple[str, bytes]]:
    client = pipeline.client("logs")
    for groups in client.get_paginator("describe_log_groups").paginate():
        for group in (each["logGroupName"] for each in groups["logGroups"]):
            for page in client.get_paginator("filter_log_events").paginate(logGroupName=group):
                yield f"log {group}", "\n".join(event["message"] for event in page["events"]).encode()


def _executions(pipeline: Pipeline) -> Iterator[tuple[str, bytes]]:
    client = pipeline.client("stepfunctions")
    for machine in client.list_state_machines()["stateMachines"]:
        for page in client.get_paginator("list_executions").paginate(stateMachineArn=machine["stateMachineArn"]):
            for execution in page["executions"]:
                arn = execution["executionArn"]
                history = client.get_execution_history(executionArn=arn, maxResults=1000)["events"]
                yield f"executions of {machine['name']}", _json([client.describe_execution(executionArn=arn), history])


def _archived(pipeline: Pipeline) -> Iterator[bytes]:
    """Every event in the archive, replayed to a queue of its own."""
    events, sqs = pipeline.client("events"), pipeline.client("sqs")
    name = f"search-{uuid4().hex}"
    url = open_queue(events, sqs, pipeline.orders_bus, name, {"replay-name": [name]})
    now = datetime.now(UTC)
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}"
    events.start_replay(
        ReplayName=name,
        EventSourceArn=f"{arn}:archive/{pipeline.outputs['ArchiveName']}",
        EventStartTime=now - timedelta(days=1),
        EventEndTime=now + timedelta(minutes=1),
        Destination={"Arn": f"{arn}:event-bus/{pipeline.orders_bus}"},
    )
    deadline = time.monotonic() + _SECONDS
    while events.describe_replay(ReplayName=name)["State"] != "COMPLETED":
        assert time.monotonic() < deadline, "the archive is not replayed"
        time.sleep(0.2)
    count = 0
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        count += len(messages)
        yield from (message["Body"].encode() for message in messages)
    assert count, "the archive is empty"
    sqs.delete_queue(QueueUrl=url)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=str).encode()
