"""The two ways to run a case of the sagas: Step Functions with stub services in Lambda, and the in-process machine.

How it works: the deployed definitions are created with services that are one stub function, which asks an HTTP server
of this process for its answer, so a case scripts each attempt at each command. The same case runs in `saga_machine`.

Its limits: waits are scaled down by the emulator, which ignores jitter, maximum delays and execution timeouts. Any
other implementation of Step Functions that can call a Lambda may take the emulator's place (see tests/statemachine).
"""

import io
import json
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from infra.constructs.express_saga import ALREADY_STARTED, SAGA_PLACEHOLDER, START_EXECUTION
from infra.local.transform import function_zip
from infra.package.files import write_zip
from tests.engines.saga_machine import EXPRESS, MACHINES, SERVICES, Execution, definition
from tests.statemachine.cases import COMMANDS, Case

STUB = Path(__file__).parent / "stub"
SECONDS_TO_END = 60.0
_NOTHING = {"StartAt": "Nothing", "States": {"Nothing": {"Type": "Succeed"}}}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """What an execution did: how it ended, its trace as in `saga_machine.Execution`, and the calls it made.

    `saga_input` is that of the order saga's execution with the order's name, if there is one.
    """

    order_id: str
    status: str
    error: str | None
    trace: Sequence[str]
    calls: Sequence[Call]
    saga_input: dict[str, Any] | None


class Scripts:
    """What the services answer, by order and command, and what they were called with. Used by several threads."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], list[str | None]] = {}
        self._calls: dict[str, list[Call]] = defaultdict(list)

    def play(self, order_id: str, answers: Mapping[str, Sequence[str | None]]) -> None:
        """From now on answer like this for the order."""
        for state, script in answers.items():
            self._answers[order_id, COMMANDS[state]] = list(script)

    def answer(self, service: str, payload: dict[str, Any]) -> str | None:
        """The error to raise now, if any."""
        order_id = payload["order_id"]
        self._calls[order_id].append((service, payload))
        script = self._answers.get((order_id, payload["command"]), [None])
        return script.pop(0) if len(script) > 1 else script[0]

    def calls(self, order_id: str) -> list[Call]:
        """The calls so far for the order, in their order."""
        return self._calls[order_id]


class InProcess:
    """Runs cases with `tests.engines.saga_machine`."""

    def run(self, case: Case) -> Run:
        scripts, order_id = Scripts(), "order"
        scripts.play(order_id, case.answers)
        sagas = {order_id: {"order_id": order_id}} if case.saga_started else {}

        def invoke(service: str, payload: dict[str, Any]) -> None:
            if service == START_EXECUTION:
                error = ALREADY_STARTED if payload["Name"] in sagas else None
                sagas.setdefault(payload["Name"], payload["Input"])
            else:
                error = scripts.answer(service, payload)
            if error is not None:
                raise type(error, (Exception,), {})("as the test asks")

        execution = Execution(definition(case.machine), order_id, invoke)
        outcome = execution.run()
        calls, saga_input = scripts.calls(order_id), sagas.get(order_id)
        return Run(order_id, outcome.status, outcome.error, execution.trace, calls, saga_input)


class StepFunctions:
    """Runs cases with a Step Functions client, on state machines (ARNs by name) with services that answer `scripts`.

    `saga` stands for the order saga where that is handed over to: it does nothing.
    """

    def __init__(self, client: Any, machines: Mapping[str, str], saga: str, scripts: Scripts) -> None:
        self._client = client
        self._machines = machines
        self._saga = saga
        self._scripts = scripts

    def run(self, case: Case) -> Run:
        order_id = uuid.uuid4().hex
        self._scripts.play(order_id, case.answers)
        of_order = json.dumps({"order_id": order_id})
        if case.saga_started:
            self._client.start_execution(stateMachineArn=self._saga, name=order_id, input=of_order)
        arn = self._client.start_execution(stateMachineArn=self._machines[case.machine], input=of_order)["executionArn"]
        ended = self._wait(arn)
        trace, calls = trace_of(self._history(arn)), self._scripts.calls(order_id)
        return Run(order_id, ended["status"], ended.get("error"), trace, calls, self._saga_input(order_id))

    def _saga_input(self, order_id: str) -> dict[str, Any] | None:
        try:
            arn = f"{self._saga.replace(':stateMachine:', ':execution:')}:{order_id}"
            started: dict[str, Any] = json.loads(self._client.describe_execution(executionArn=arn)["input"])
        except self._client.exceptions.ExecutionDoesNotExist:
            return None
        return started

    def _wait(self, arn: str) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS_TO_END
        while time.monotonic() < deadline:
            execution: dict[str, Any] = self._client.describe_execution(executionArn=arn)
            if execution["status"] != "RUNNING":
                return execution
            time.sleep(0.02)
        raise TimeoutError(f"{arn} is still running after {SECONDS_TO_END} s; it did {trace_of(self._history(arn))}")

    def _history(self, arn: str) -> Iterator[Mapping[str, Any]]:
        for page in self._client.get_paginator("get_execution_history").paginate(executionArn=arn):
            yield from page["events"]


def trace_of(history: Iterator[Mapping[str, Any]]) -> list[str]:
    """An execution's history, as the trace that the in-process machine makes.

    A call of a function is an event of the kind LambdaFunction… on AWS and in its Step Functions Local, Task… in the
    emulator.
    """
    trace: list[str] = []
    state = ""
    for event in history:
        match event["type"]:
            case "TaskStateEntered":
                state = event["stateEnteredEventDetails"]["name"]
            case "SucceedStateEntered":
                trace.append(event["stateEnteredEventDetails"]["name"])
            case "LambdaFunctionSucceeded" | "TaskSucceeded":
                trace.append(state)
            case "LambdaFunctionFailed":
                trace.append(f"{state}: {event['lambdaFunctionFailedEventDetails']['error']}")
            case "TaskFailed":
                trace.append(f"{state}: {event['taskFailedEventDetails']['error']}")
            case "LambdaFunctionTimedOut":
                trace.append(f"{state}: States.Timeout")
    return trace


@contextmanager
def step_functions(client: Callable[[str], Any]) -> Iterator[StepFunctions]:
    """The sagas' definitions with stub services, for the time of the block. `client` makes the client of a service."""
    states, functions, iam = client("stepfunctions"), client("lambda"), client("iam")
    name = f"saga-with-stubs-{uuid.uuid4().hex[:8]}"
    scripts = Scripts()
    arns: dict[str, str] = {}
    code = _code()
    with ExitStack() as after, _listening(scripts) as url:
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        after.callback(iam.delete_role, RoleName=name)
        for placeholder, service in SERVICES.items():
            function = functions.create_function(
                FunctionName=f"{name}-{service}",
                Runtime="provided.al2023",
                Role=role,
                Handler="service.handler",
                Code={"ZipFile": code},
                Environment={"Variables": {"SERVICE": service, "ANSWERS_URL": url}},
            )
            after.callback(functions.delete_function, FunctionName=function["FunctionName"])
            arns[placeholder] = function["FunctionArn"]

        def made(machine: str, text: str, kind: str = "STANDARD") -> str:
            for placeholder, arn in arns.items():
                text = text.replace(placeholder, arn)
            arn = states.create_state_machine(name=f"{name}-{machine}", definition=text, roleArn=role, type=kind)[
                "stateMachineArn"
            ]
            after.callback(states.delete_state_machine, stateMachineArn=arn)
            return str(arn)

        saga = arns[f"${{{SAGA_PLACEHOLDER}}}"] = made("started", json.dumps(_NOTHING))
        machines = {machine: made(machine, json.dumps(definition(machine))) for machine in MACHINES}
        machines[EXPRESS] = made(EXPRESS, json.dumps(definition(EXPRESS)), "EXPRESS")
        yield StepFunctions(states, machines, saga, scripts)


def _code() -> bytes:
    """The stub services, for this machine."""
    archive = io.BytesIO()
    write_zip(STUB, archive)
    return function_zip(archive.getvalue())


@contextmanager
def _listening(scripts: Scripts) -> Iterator[str]:
    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps(scripts.answer(question["service"], question["payload"])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
