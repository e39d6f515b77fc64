"""What orders cause while they run through the pipeline, counted as AWS bills it."""

from __future__ import annotations

import json
import math
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from infra.functions import FUNCTIONS
from infra.local.pipeline import Pipeline
from infra.planning.measured import FunctionCounts
from infra.planning.pricing import (
    AUDIT_OBJECT_SECONDS,
    FIREHOSE_STEP,
    FULL_PROCESSOR,
    GIGABYTE,
    SECONDS_OF_A_CALL,
    express_gigabyte_seconds,
    traces,
)
from tests.bench.metering import Meter, metered

_LOG_EVENT_OVERHEAD = 26  # bytes; source: CloudWatch Logs pricing
_NOT_ON_AWS = ("START RequestId", "END RequestId", "REPORT RequestId")
"""What the emulator logs of each call; on AWS the level of the system's lines leaves it out."""
_WORKED = re.compile(r"END RequestId: \S+ Processor: ([\d.]+) ms Records: (\d+)")
_WRITES = "writes."


class _Done(NamedTuple):
    """How often a function was called, with how many records, and for how many milliseconds it worked, in all."""

    calls: int
    records: int
    worked_ms: float

    @classmethod
    def of(cls, ends: Iterable[tuple[str, str]]) -> _Done:
        """By what the function logged at the end of each call."""
        ends = list(ends)
        return cls(len(ends), sum(int(records) for _, records in ends), sum(float(worked) for worked, _ in ends))

    def __sub__(self, before: _Done) -> _Done:
        return _Done(self.calls - before.calls, self.records - before.records, self.worked_ms - before.worked_ms)


class OrderCounts:
    """Counts from `begin` to `counts`; see `counting`."""

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
        self._done = self._called()
        self._emails = self._sent()
        self._meter.begin()
        self._tap.drain()
        self._began = time.time()

    def counts(self, orders: int) -> tuple[dict[str, float], dict[str, FunctionCounts]]:
        """What has happened since, by order: in all, and of each function that was called.

        The publisher's own entry and the sandboxes' books are left out.

        ``function_gb_seconds`` has what functions worked on this machine's processor, of which a function has a part on
        AWS, by its memory; and the waits for the calls that they made.
        ``traces`` are at most so many: each call of a function is taken for a trace of its own.
        """
        took = time.time() - self._began
        done = {key: now - self._done[key] for key, now in self._called().items()}
        calls = {key: of.calls for key, of in done.items()}
        heard = self._tap.drain()
        metered_in_all, metered_of = self._meter.counts()
        queued = sum(calls[spec.key] for spec in FUNCTIONS if spec.queued)
        total = {
            **self._executed(),
            "function_calls": sum(calls.values()),
            **{f"function_calls.{key}": number for key, number in calls.items() if number},
            "function_gb_seconds": sum(
                done[spec.key].worked_ms / 1000 * max(spec.memory, FULL_PROCESSOR) / 1024 for spec in FUNCTIONS
            )
            + sum(metered_of[spec.key]["calls"] * SECONDS_OF_A_CALL * spec.memory / 1024 for spec in FUNCTIONS),
            "put_events_entries": metered_in_all["put_events_entries"],
            "archived_gigabytes": sum(len(each.encode()) for each in heard) / GIGABYTE,
            # A message is sent by the bus; each call of a queue's function receives a batch and deletes it.
            "sqs_requests": orders + self._tap.deliveries(heard) + 2 * queued + metered_in_all["sqs_sends"],
            **{key: number for key, number in sorted(metered_in_all.items()) if key.startswith("write_units")},
            "read_units": metered_in_all["read_units"],
            "log_gigabytes": self._log_bytes() / GIGABYTE,
            "traces": traces(sum(calls.values()), took),
            "firehose_gigabytes": sum(map(_firehose_bytes, heard)) / GIGABYTE,
            "s3_puts": math.ceil(took / AUDIT_OBJECT_SECONDS),
            "emails": self._sent() - self._emails,
        }
        functions = {
            key: FunctionCounts(
                calls=of.calls / orders,
                records=of.records / orders,
                processor_ms=of.worked_ms / orders,
                aws_calls=meter["calls"] / orders,
                read_units=meter["read_units"] / orders,
                writes={
                    name.removeprefix(_WRITES): units / orders
                    for name, units in sorted(meter.items())
                    if name.startswith(_WRITES)
                },
            )
            for key, of in done.items()
            if of.calls
            for meter in [metered_of[key]]
        }
        return {key: number / orders for key, number in total.items()}, functions

    def quiet(self) -> None:
        """Wait until no function is called any more: calls are counted as they end."""
        seen: list[dict[str, _Done]] = []
        deadline = time.monotonic() + 120
        while len(seen) < 2 or seen[-1] != seen[-2]:
            if time.monotonic() > deadline:
                raise TimeoutError("functions are called all the time")
            # Batches are gathered for five seconds.
            time.sleep(6.0)
            seen.append(self._called())

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
            counts["express_gb_seconds"] += express_gigabyte_seconds(math.ceil(seconds * 10) / 10)
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

    def _called(self) -> dict[str, _Done]:
        """What each function has done so far: from its log."""
        return {
            key: _Done.of(
                found for line in self._logged(name, filterPattern='"END RequestId"') for found in _WORKED.findall(line)
            )
            for key, name in self._names.items()
        }

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
    """Counts what orders cause, for the time of the block."""
    with metered(pipeline, [spec.key for spec in FUNCTIONS]) as meter:
        yield OrderCounts(pipeline, meter)


def _firehose_bytes(event: str) -> int:
    """What Firehose bills for an event in the audit copy: steps of 5 KB."""
    return math.ceil(len(event.encode()) / FIREHOSE_STEP) * FIREHOSE_STEP


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
