"""A proxy between the functions and the emulator that counts what AWS would bill for their calls.

DynamoDB tells what a request consumed only if asked, so the proxy asks, and signs the request anew. The emulator's
read units are constant, so they are worked out from the items that came back, as DynamoDB does it: consistent reads
take one unit per 4 KB begun.
"""

import json
import math
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.emulator.process import ACCOUNT, HOST, REGION
from infra.local.pipeline import Pipeline

_READ_UNIT_BYTES = 4 * 1024
_DYNAMODB = "DynamoDB_20120810."
_SERVICES = ("DYNAMODB", "EVENTBRIDGE", "SQS")


class Meter(Counter[str]):
    """Counts by key: ``write_units``, ``write_units.<projection that counts>``, ``write_units.vault``, ``read_units``,
    ``put_events_entries``, ``sqs_sends``; and ``calls`` in all."""


@contextmanager
def metered(pipeline: Pipeline, functions: Iterable[str]) -> Iterator[Meter]:
    """Let the named functions make their calls through a proxy that counts; they are started anew for it."""
    meter = Meter()
    server = ThreadingHTTPServer((HOST, 0), _handler(pipeline.endpoint, pipeline.outputs["VaultTableName"], meter))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lambda_ = pipeline.client("lambda")
    try:
        for name in functions:
            variables = lambda_.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            for service in _SERVICES:
                variables[f"AWS_ENDPOINT_URL_{service}"] = f"http://{HOST}:{server.server_port}"
            lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        yield meter
    finally:
        server.shutdown()
        server.server_close()


def _handler(endpoint: str, vault: str, meter: Meter) -> type[BaseHTTPRequestHandler]:
    pool = urllib3.PoolManager(maxsize=20, retries=False)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body go together: apart, the second waits 40 ms for the first's acknowledgement

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has in the base class
            """Say nothing: the functions' calls are counted, not listed."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            target = self.headers.get("X-Amz-Target", "")
            headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
            if target.startswith(_DYNAMODB):
                body = json.dumps({**json.loads(body), "ReturnConsumedCapacity": "TOTAL"}).encode()
                headers = _signed(endpoint + self.path, body, headers)
            answer = pool.request("POST", endpoint + self.path, body=body, headers=headers)
            with lock:
                meter.update(_count(target, vault, json.loads(body), answer.data))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection", "x-amz-crc32"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)
            self.wfile.flush()

    return Handler


def _signed(url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
    kept = {name: headers[name] for name in ("X-Amz-Target", "Content-Type")}
    request = AWSRequest("POST", url, data=body, headers=kept)
    SigV4Auth(Credentials(ACCOUNT, ACCOUNT), "dynamodb", REGION).add_auth(request)
    return dict(request.headers)


def _count(target: str, vault: str, request: dict[str, Any], answer: bytes) -> Counter[str]:
    operation = target.rpartition(".")[2]
    if operation == "PutEvents":
        return Counter(calls=1, put_events_entries=len(request["Entries"]))
    if operation == "SendMessage":
        return Counter(calls=1, sqs_sends=1)
    if not target.startswith(_DYNAMODB) or _is_sandbox(request):
        return Counter()
    response = json.loads(answer)
    if operation in {"Query", "GetItem"}:
        read = sum(map(_item_bytes, response["Items"] if operation == "Query" else [response.get("Item", {})]))
        return Counter(calls=1, read_units=max(1, math.ceil(read / _READ_UNIT_BYTES)))
    consumed = response.get("ConsumedCapacity", {"TableName": request.get("TableName"), "CapacityUnits": 1})
    counts = Counter(calls=1)
    for table in consumed if isinstance(consumed, list) else [consumed]:
        whose = ".vault" if table["TableName"] == vault else _counting(request)
        counts[f"write_units{whose}"] += math.ceil(table["CapacityUnits"])
    return counts


def _counting(request: dict[str, Any]) -> str:
    """The projection whose counters a transaction adds to, after a full stop; nothing of other requests."""
    for action in request.get("TransactItems", []):
        key = action.get("Put", {}).get("Item", {}).get("PK", {}).get("S", "")
        if key.startswith("applied#"):
            return f".{key.split('#')[1]}"
    return ""


def _is_sandbox(request: dict[str, Any]) -> bool:
    key = request.get("Key", {}).get("PK", {}).get("S", "")
    return isinstance(key, str) and key.startswith("sandbox#")


def _item_bytes(item: dict[str, dict[str, str]]) -> int:
    return sum(len(name) + len(next(iter(value.values())).encode()) for name, value in item.items())
