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
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from handlers.table import keys
from infra.local.emulator.process import ACCOUNT, HOST, REGION
from infra.local.pipeline import Pipeline

_READ_UNIT_BYTES = 4 * 1024
_DYNAMODB = "DynamoDB_20120810."
_SERVICES = ("DYNAMODB", "EVENTBRIDGE", "SQS")
_UNITS_IN_TRANSACTION = 2
"""Of an item of up to 1 KB that a transaction writes."""
_LOCK = threading.Lock()


class Meter(Counter[str]):
    """Counts by key: ``write_units``, ``write_units.<projection that counts>``, ``write_units.vault``, ``read_units``,
    ``put_events_entries``, ``sqs_sends``; and ``calls`` in all.

    ``functions``: for each function, ``calls``, ``read_units``, and ``writes.<kind of key>`` in write units.
    """

    def __init__(self, functions: Iterable[str]) -> None:
        super().__init__()
        self.functions: dict[str, Counter[str]] = {key: Counter() for key in functions}

    def clear(self) -> None:
        """Begin anew."""
        super().clear()
        for counts in self.functions.values():
            counts.clear()


@contextmanager
def metered(pipeline: Pipeline, functions: Iterable[str]) -> Iterator[Meter]:
    """Let the functions with these keys make their calls through proxies that count; they are started anew for it."""
    meter = Meter(functions)
    vault = pipeline.outputs["VaultTableName"]
    lambda_ = pipeline.client("lambda")
    with ExitStack() as stack:
        for key, own in meter.functions.items():
            server = ThreadingHTTPServer((HOST, 0), _handler(pipeline.endpoint, vault, meter, own))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            name = pipeline.function_name(key)
            variables = lambda_.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            for service in _SERVICES:
                variables[f"AWS_ENDPOINT_URL_{service}"] = f"http://{HOST}:{server.server_port}"
            lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        yield meter


def _handler(endpoint: str, vault: str, meter: Meter, own: Counter[str]) -> type[BaseHTTPRequestHandler]:
    pool = urllib3.PoolManager(maxsize=20, retries=False)

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
            counts = _count(target, vault, json.loads(body), answer.data)
            writes = _writes(target, vault, json.loads(body), answer.data)
            with _LOCK:
                meter.update(counts)
                own.update(writes)
                own.update({name: counts[name] for name in ("calls", "read_units")})
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
    counts = Counter(calls=1)
    for table, units in _consumed(request, response):
        whose = ".vault" if table == vault else _counting(request)
        counts[f"write_units{whose}"] += units
    return counts


def _consumed(request: dict[str, Any], response: dict[str, Any]) -> Iterator[tuple[str | None, int]]:
    """How many write units a request consumed of each table. What failed consumed one, and does not say of which."""
    consumed = response.get("ConsumedCapacity", {"TableName": request.get("TableName"), "CapacityUnits": 1})
    for table in consumed if isinstance(consumed, list) else [consumed]:
        yield table["TableName"], math.ceil(table["CapacityUnits"])


def _writes(target: str, vault: str, request: dict[str, Any], answer: bytes) -> Counter[str]:
    """The write units of a request by the kinds of keys.

    Of a transaction, each item has the least that one costs, and what is above that is the first one's: the event's.
    """
    counts: Counter[str] = Counter()
    if not target.startswith(_DYNAMODB) or target.endswith((".Query", ".GetItem")) or _is_sandbox(request):
        return counts
    written = list(_written(request))
    for table, units in _consumed(request, json.loads(answer)):
        first, *others = [_kind(key, of == vault) for of, key in written if table in (of, None)]
        counts[first] += units
        for other in others if table else ():
            counts[first] -= _UNITS_IN_TRANSACTION
            counts[other] += _UNITS_IN_TRANSACTION
    return counts


def _written(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The table and the partition key of each item that a request writes or checks."""
    actions = (action for item in request.get("TransactItems", []) for action in item.values())
    for action in actions if "TransactItems" in request else (request,):
        yield action["TableName"], action.get("Item", action.get("Key", {}))["PK"]["S"]


def _kind(key: str, in_vault: bool) -> str:
    """What a partition key begins with: ``writes.order``, ``writes.view#sales``; or ``writes.vault``."""
    if in_vault:
        return "writes.vault"
    kind, _, rest = key.partition("#")
    return f"writes.{kind}#{rest.partition('#')[0]}" if f"{kind}#" == keys.VIEW else f"writes.{kind}"


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
