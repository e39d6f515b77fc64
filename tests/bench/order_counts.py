"""What orders cause while they run through the pipeline, counted as AWS bills it."""

from __future__ import annotations

import json
import math
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from infra.functions import FUNCTIONS
from infra.local.pipeline import Pipeline
from tests.bench.metering import Meter, metered

GIGABYTE = 1024**3
_EXPRESS_CHUNK_GIGABYTES = 64 / 1024
"""What an execution with little data is billed for: memory comes in chunks of 64 MB."""
_FULL_PROCESSOR = 1769
"""The memory in MB with which a function has a whole processor. Source: AWS Lambda Developer Guide, on memory."""
_MEMORY_GIGABYTES = 0.5
"""The memory of the functions on the path of an order."""
_FIREHOSE_STEP = 5 * 1024
_AUDIT_OBJECT_SECONDS = 60
"""How long the audit copy gathers events for an object."""
_LOG_EVENT_OVERHEAD = 26  # bytes; source: CloudWatch Logs pricing
_NOT_ON_AWS = ("START RequestId", "END RequestId", "REPORT RequestId")
"""What the emulator logs of each call; on AWS the level of the system's lines leaves it out."""
_WORKED = re.compile(r"END RequestId: \S+ Processor: ([\d.]+) ms")
_SECONDS_OF_A_CALL = 0.006
"""What a call of DynamoDB, SQS or EventBridge takes a function on AWS: an assumption, not measured here."""
_TRACED_A_SECOND, _TRACED_SHARE = 1, 0.05
"""What X-Ray samples by default: the first of each second, and this share of the rest."""


class OrderCounts:
    """Counts from `begin` to `counts`. Its functions make their calls through a proxy meanwhile; see `counting`."""

    def __init__(self, pipeline: Pipeline, meter: Meter) -> None:
        self._pipeline = pipeline
        self._meter = meter
        self._names = {spec.key: pipeline.function_name(spec.key) for spec in FUNCTIONS}
        self._logs, self._states = pipeline.client("logs"), pipeline.client("stepfunctions")
        functions = pipeline.client("lambda")
        self._log_groups = {
            name: functions.get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]
            for name in self._names.values()
        }
        self._tap = _Tap(pipeline)

    def begin(self) -> None:
        """Count from now on."""
        self._calls, self._worked = self._called()
        self._emails = self._sent()
        self._meter.clear()
        self._tap.drain()
        self._began = time.time()

    def counts(self, orders: int) -> dict[str, float]:
        """What has happened since, by order. The publisher's own entry and the sandboxes' books are left out.

        ``function_gb_seconds`` has what functions worked on this machine's processor, of which a function has a part on
        AWS, by its memory; and the waits for the calls that they made.
        ``traces`` are at most so many: each call of a function is taken for a trace of its own.
        """
        took = time.time() - self._began
        calls_now, worked_now = self._called()
        calls = {key: calls_now[key] - self._calls[key] for key in self._names}
        heard = self._tap.drain()
        queued = sum(calls[spec.key] for spec in FUNCTIONS if spec.queued)
        total = {
            **self._executed(),
            "function_calls": sum(calls.values()),
            **{f"function_calls.{key}": number for key, number in calls.items() if number},
            "function_gb_seconds": sum(
                (worked_now[spec.key] - self._worked[spec.key]) * max(spec.memory, _FULL_PROCESSOR) / 1024
                for spec in FUNCTIONS
            )
            + self._meter["calls"] * _SECONDS_OF_A_CALL * _MEMORY_GIGABYTES,
            "put_events_entries": self._meter["put_events_entries"],
            "archived_gigabytes": sum(len(each.encode()) for each in heard) / GIGABYTE,
            # A message is sent by the bus; each call of a queue's function receives a batch and deletes it.
            "sqs_requests": orders + self._tap.deliveries(heard) + 2 * queued + self._meter["sqs_sends"],
            **{key: number for key, number in sorted(self._meter.items()) if key.startswith("write_units")},
            "read_units": self._meter["read_units"],
            "log_gigabytes": self._log_bytes() / GIGABYTE,
            "traces": min(sum(calls.values()), took * _TRACED_A_SECOND + sum(calls.values()) * _TRACED_SHARE),
            "firehose_gigabytes": sum(map(_firehose_bytes, heard)) / GIGABYTE,
            "s3_puts": math.ceil(took / _AUDIT_OBJECT_SECONDS),
            "emails": self._sent() - self._emails,
        }
        return {key: number / orders for key, number in total.items()}

    def quiet(self) -> None:
        """Wait until no function is called any more: calls are counted as they end."""
        seen: list[Counter[str]] = []
        deadline = time.monotonic() + 120
        while len(seen) < 2 or seen[-1] != seen[-2]:
            if time.monotonic() > deadline:
                raise TimeoutError("functions are called all the time")
            # Batches are gathered for five seconds.
            time.sleep(6.0)
            seen.append(self._called()[0])

    def lags_ms(self, function: str) -> list[float]:
        """By how many milliseconds the views of a function's projections were behind the events applied to them."""
        lags: list[float] = []
        for message in self._logged(self._names[function], startTime=int(self._began * 1000)):
            for line in message.splitlines():
                if '"ProjectionLag"' in line:
                    lag = json.loads(line)["ProjectionLag"]
                    lags += lag if isinstance(lag, list) else [lag]
        return lags

    def _executed(self) -> dict[str, float]:
        """What executions since the beginning are billed by: express ones by their time in steps of 100 ms, others by
        the states entered, and one for the start.
        """
        counts = {"express_requests": 0.0, "express_gb_seconds": 0.0, "state_transitions": 0.0}
        for entered in self._entered(self._pipeline.express_state_machine_arn):
            # The emulator rests before the first state.
            seconds = (entered[-1] - entered[0]).total_seconds()
            counts["express_requests"] += 1
            counts["express_gb_seconds"] += math.ceil(seconds * 10) / 10 * _EXPRESS_CHUNK_GIGABYTES
        for machine in (self._pipeline.state_machine_arn, self._pipeline.cancellation_state_machine_arn):
            counts["state_transitions"] += sum(1 + len(entered) for entered in self._entered(machine))
        return counts

    def _entered(self, machine: str) -> Iterator[list[datetime]]:
        """Of each execution since the beginning, when it entered its states; the last is its end."""
        began = datetime.fromtimestamp(self._began, UTC)
        for page in self._states.get_paginator("list_executions").paginate(stateMachineArn=machine):
            for execution in page["executions"]:
                if execution["startDate"] >= began:
                    history = self._states.get_execution_history(
                        executionArn=execution["executionArn"], maxResults=1000
                    )
                    yield [each["timestamp"] for each in history["events"] if each["type"].endswith("StateEntered")]

    def _called(self) -> tuple[Counter[str], dict[str, float]]:
        """How often each function was called so far, and for how many seconds it worked in all: from its log."""
        calls: Counter[str] = Counter()
        worked: dict[str, float] = {}
        for key, name in self._names.items():
            ends = self._logged(name, filterPattern='"END RequestId"')
            times = [float(found) for line in ends for found in _WORKED.findall(line)]
            calls[key], worked[key] = len(times), sum(times) / 1000
        return calls, worked

    def _log_bytes(self) -> int:
        """What all functions have logged since the beginning, as CloudWatch bills it."""
        lines = [
            line
            for name in self._names.values()
            for message in self._logged(name, startTime=int(self._began * 1000))
            for line in message.splitlines()
            if not line.startswith(_NOT_ON_AWS)
        ]
        return sum(len(line.encode()) + _LOG_EVENT_OVERHEAD for line in lines)

    def _logged(self, function_name: str, **wanted: Any) -> list[str]:
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=self._log_groups[function_name], **wanted
        )
        return [event["message"] for page in pages for event in page["events"]]

    def _sent(self) -> int:
        """How many e-mails were sent so far."""
        with urllib.request.urlopen(f"{self._pipeline.endpoint}/_ministack/ses/messages") as answer:
            return sum(map(len, json.load(answer)["messages"].values()))


@contextmanager
def counting(pipeline: Pipeline) -> Iterator[OrderCounts]:
    """Counts what orders cause, for the time of the block. The functions are started anew for it."""
    with metered(pipeline, [pipeline.function_name(spec.key) for spec in FUNCTIONS]) as meter:
        yield OrderCounts(pipeline, meter)


def _firehose_bytes(event: str) -> int:
    """What Firehose bills for an event in the audit copy: steps of 5 KB."""
    return math.ceil(len(event.encode()) / _FIREHOSE_STEP) * _FIREHOSE_STEP


class _Tap:
    """A queue that hears everything on the orders bus, to count what the deployed rules put on queues."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._events = pipeline.client("events")
        self._sqs = pipeline.client("sqs")
        bus = pipeline.orders_bus
        self._url = self._sqs.create_queue(QueueName="bench-tap")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self._rules = [
            (rule["EventPattern"], target["Arn"])
            for rule in self._events.list_rules(EventBusName=bus)["Rules"]
            if rule["Name"] != "bench-tap"
            for target in self._events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]
        ]
        pattern = json.dumps({"source": [{"prefix": "orders."}]})
        self._events.put_rule(Name="bench-tap", EventBusName=bus, EventPattern=pattern)
        self._events.put_targets(Rule="bench-tap", EventBusName=bus, Targets=[{"Id": "tap", "Arn": arn}])

    def drain(self) -> list[str]:
        """The events heard since the last time, as JSON."""
        heard: list[str] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            heard += [message["Body"] for message in messages]
            entries = [{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        return heard

    def deliveries(self, heard: list[str]) -> int:
        """How many messages the rules put on queues for these events."""
        kinds: Counter[str] = Counter()
        example: dict[str, str] = {}
        for event in heard:
            kind = json.loads(event)["detail-type"]
            kinds[kind] += 1
            example[kind] = event
        return sum(
            number
            for kind, number in kinds.items()
            for pattern, target in self._rules
            if ":sqs:" in target
            and self._events.test_event_pattern(EventPattern=pattern, Event=example[kind])["Result"]
        )
