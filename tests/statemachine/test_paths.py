"""Every path through the sagas, through a Step Functions Local client and through the in-process machine.

The client is the emulator's. For another one, set SFN_LOCAL_ENDPOINT, and LAMBDA_ENDPOINT to the emulator whose
Lambda it calls; it has to skip waits by itself (the emulator: SFN_WAIT_SCALE=0).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

from infra.local.emulator.process import ACCOUNT, REGION, Emulator
from tests.conftest import WAIT_SCALE
from tests.engines.step_functions import Call, InProcess, Run, StepFunctions, step_functions
from tests.statemachine.cases import COMMANDS, Case, paths

SERVICE_OF = {
    "ReserveStock": "inventory_service",
    "AuthorizePayment": "payments_service",
    "ArrangeShipment": "shipping_service",
    "CapturePayment": "payments_service",
    "ConfirmOrder": "ordering_service",
    "StartCancellation": "ordering_service",
    "CancelShipment": "shipping_service",
    "RefundPayment": "payments_service",
    "ReleaseStock": "inventory_service",
    "CancelOrder": "ordering_service",
    "RecallShipment": "shipping_service",
    "RefuseCancellation": "ordering_service",
}
CASES = list(paths())
AT_ONCE = 8
ELSEWHERE = os.environ.get("SFN_LOCAL_ENDPOINT")


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Run]]]:
    """The runs of all cases by name, several at once: an execution mostly waits for its services to start."""
    if ELSEWHERE:
        with step_functions(client_elsewhere) as engine, running(engine) as runs:
            yield runs
        return
    emulator: Emulator = request.getfixturevalue("emulator")
    emulator.scale_waits(0)
    with step_functions(emulator.client) as engine, running(engine) as runs:
        yield runs
    emulator.scale_waits(WAIT_SCALE)


@contextmanager
def running(engine: StepFunctions) -> Iterator[Mapping[str, Future[Run]]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {case.name: pool.submit(engine.run, case) for case in CASES}


def client_elsewhere(service: str) -> Any:
    endpoint = ELSEWHERE if service == "stepfunctions" else os.environ["LAMBDA_ENDPOINT"]
    session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key=ACCOUNT, region_name=REGION)
    return session.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]


@pytest.fixture(params=["step_functions_local", "in_process"])
def run(request: pytest.FixtureRequest, case: Case) -> Run:
    """The run of a case."""
    if request.param == "in_process":
        return InProcess().run(case)
    future: Future[Run] = request.getfixturevalue("runs")[case.name]
    return future.result()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_path(case: Case, run: Run) -> None:
    assert run.trace == case.trace
    assert (run.status, run.error) == ("FAILED" if case.error else "SUCCEEDED", case.error)
    assert run.calls == list(calls(run.trace, run.order_id))
    assert run.saga_input == ({"order_id": run.order_id} if "HandedOver" in case.trace else None)


def calls(trace: Sequence[str], order_id: str) -> Iterator[Call]:
    """What the services are called with on the way of `trace`: the order's id and, to turn back, the refusal."""
    refusal = ""
    for line in trace:
        state, _, error = line.partition(": ")
        if state == "StartCancellation":
            yield SERVICE_OF[state], {"command": COMMANDS[state], "order_id": order_id, "refusal": refusal}
        elif state in COMMANDS:
            yield SERVICE_OF[state], {"command": COMMANDS[state], "order_id": order_id}
            refusal = error
