"""A case for each path through the sagas: what the services answer, and what the execution then does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

OK = None
FORWARD = ["ReserveStock", "AuthorizePayment", "ArrangeShipment", "CapturePayment", "ConfirmOrder"]
COMPENSATIONS = ["CancelShipment", "RefundPayment", "ReleaseStock", "CancelOrder"]
BACK = ["StartCancellation", *COMPENSATIONS]
RECALL = ["RecallShipment", "RefundPayment", "ReleaseStock", "CancelOrder"]

COMMANDS = {
    "ReserveStock": "reserve_stock",
    "AuthorizePayment": "authorize_payment",
    "ArrangeShipment": "arrange_shipment",
    "CapturePayment": "capture_payment",
    "ConfirmOrder": "confirm_order",
    "StartCancellation": "start_cancellation",
    "CancelShipment": "cancel_shipment",
    "RefundPayment": "refund_payment",
    "ReleaseStock": "release_stock",
    "CancelOrder": "cancel_order",
    "RecallShipment": "recall_shipment",
    "RefuseCancellation": "refuse_cancellation",
}
CANNOT_START = [
    "Lambda.ResourceConflictException",  # a deployment is changing it
    "Lambda.SnapStartNotReadyException",
    "Lambda.SnapStartTimeoutException",
    "Lambda.SnapStartException",
    "Runtime.ImportModuleError",
    "Runtime.UserCodeSyntaxError",
    "Runtime.HandlerNotFound",
    "Runtime.MalformedHandlerName",
    "Runtime.InvalidEntrypoint",
    "Runtime.Unknown",
]
"""What says that a function could not start, so that none of its code handled the order.

Sources: the errors of Lambda's Invoke operation; awslambdaric (`lambda_runtime_exception.py`) for Python's runtime;
aws-lambda-runtime-interface-emulator (`fatalerror.go`) for the environment around it.
"""
OWN_TROUBLE = [
    "Throttled",
    "Contended",
    "Unreachable",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    *CANNOT_START,
    "Runtime.ExitError",
    "Sandbox.Failure",
    "Sandbox.Timedout",
    "States.Timeout",
]
UNREACHABLE = {
    "AuthorizePayment": "PaymentGatewayUnreachable",
    "ArrangeShipment": "CarrierUnreachable",
    "CapturePayment": "PaymentGatewayUnreachable",
}
REFUSALS = [
    ("ReserveStock", "OutOfStock"),
    ("AuthorizePayment", "PaymentDeclined"),
    ("ArrangeShipment", "ShipmentRejected"),
    ("CapturePayment", "PaymentDeclined"),
]
DEADLINE_ATTEMPTS = 1 + 5
LONG_ATTEMPTS = 1 + 300


@dataclass(frozen=True)
class Case:
    """The answers of the services to a command, one attempt after the other, the last one for ever; else all is well.

    An answer is the name of an error, or OK. `trace` is what `saga_machine.Execution.trace` shall be, `error`
    what the execution fails with. `saga_started`: the order saga has an execution with the order's name before.
    """

    name: str
    answers: Mapping[str, Sequence[str | None]]
    trace: Sequence[str]
    error: str | None = None
    machine: str = "order_saga"
    saga_started: bool = False


def before(state: str) -> list[str]:
    """The steps forward before `state`."""
    return FORWARD[: FORWARD.index(state)]


def after(state: str) -> list[str]:
    """The steps forward after `state`."""
    return FORWARD[FORWARD.index(state) + 1 :]


def failing(state: str, *errors: str) -> list[str]:
    """The trace of attempts that fail."""
    return [f"{state}: {error}" for error in errors]


def paths() -> Iterator[Case]:
    """All cases."""
    yield Case("all well", {}, FORWARD)
    yield from refused()
    yield from outside_trouble()
    yield from own_trouble()
    yield from bugs()
    yield from cancellations()
    yield from other_executions()
    yield from recalls()
    yield from express_lane()


def refused() -> Iterator[Case]:
    """Each refusal at each step that has it, and an order that is not there."""
    for state, refusal in REFUSALS:
        yield Case(
            f"{refusal} at {state}",
            {state: [refusal]},
            [*before(state), *failing(state, refusal), *BACK],
        )
    yield Case("unknown order", {"ReserveStock": ["OrderNotFound"]}, ["ReserveStock: OrderNotFound"], "OrderNotFound")


def outside_trouble() -> Iterator[Case]:
    """A gateway or carrier that gives no answer: once, too often, while undoing, and while undoing for ever."""
    for state, error in UNREACHABLE.items():
        yield Case(
            f"{state} answers at the second try",
            {state: [error, OK]},
            [*before(state), *failing(state, error), state, *after(state)],
        )
        yield Case(
            f"{state} out of reach",
            {state: [error]},
            [*before(state), *failing(state, *[error] * DEADLINE_ATTEMPTS), *BACK],
        )
    yield Case(
        "compensations that need retries",
        {
            "ReserveStock": ["OutOfStock"],
            "CancelShipment": [*["CarrierUnreachable"] * 9, "Throttled", OK],
            "RefundPayment": [*["PaymentGatewayUnreachable"] * 9, OK],
            "ReleaseStock": ["Throttled", "Lambda.TooManyRequestsException", OK],
        },
        [
            "ReserveStock: OutOfStock",
            "StartCancellation",
            *failing("CancelShipment", *["CarrierUnreachable"] * 9, "Throttled"),
            "CancelShipment",
            *failing("RefundPayment", *["PaymentGatewayUnreachable"] * 9),
            "RefundPayment",
            *failing("ReleaseStock", "Throttled", "Lambda.TooManyRequestsException"),
            "ReleaseStock",
            "CancelOrder",
        ],
    )
    yield Case(
        "a compensation that never succeeds",
        {"AuthorizePayment": ["PaymentDeclined"], "RefundPayment": ["PaymentGatewayUnreachable"]},
        [
            "ReserveStock",
            "AuthorizePayment: PaymentDeclined",
            "StartCancellation",
            "CancelShipment",
            *failing("RefundPayment", *["PaymentGatewayUnreachable"] * LONG_ATTEMPTS),
        ],
        "PaymentGatewayUnreachable",
    )


def own_trouble() -> Iterator[Case]:
    """Throttling, crashes and functions that cannot start: retried everywhere, and never a reason to cancel."""
    for state in FORWARD:
        yield Case(
            f"own trouble at {state}",
            {state: [*OWN_TROUBLE, OK]},
            [*before(state), *failing(state, *OWN_TROUBLE), state, *after(state)],
        )
    yield Case(
        "own trouble on the way back",
        {"ReserveStock": ["OutOfStock"], **{state: [*OWN_TROUBLE, OK] for state in BACK}},
        ["ReserveStock: OutOfStock", *(line for state in BACK for line in [*failing(state, *OWN_TROUBLE), state])],
    )
    yield Case(
        "throttled for ever",
        {"CapturePayment": ["Throttled"]},
        [*before("CapturePayment"), *failing("CapturePayment", *["Throttled"] * LONG_ATTEMPTS)],
        "Throttled",
    )


def bugs() -> Iterator[Case]:
    """An error that nobody expects fails the execution at that task: no retry, no compensation."""
    for state in FORWARD:
        yield Case(f"bug in {state}", {state: ["KeyError"]}, [*before(state), *failing(state, "KeyError")], "KeyError")
    for number, state in enumerate(BACK):
        yield Case(
            f"bug in {state}",
            {"ReserveStock": ["OutOfStock"], state: ["ValidationError"]},
            ["ReserveStock: OutOfStock", *BACK[:number], *failing(state, "ValidationError")],
            "ValidationError",
        )
    error = "Runtime.MarshalError"  # the handler has run, and returned what is not JSON
    yield Case("bug in an answer", {"ReserveStock": [error]}, [f"ReserveStock: {error}"], error)


def cancellations() -> Iterator[Case]:
    """A cancellation was asked for, and recorded, before the order was confirmed: it need not be started again."""
    for state in FORWARD:
        yield Case(
            f"cancelled before {state}",
            {state: ["OrderCancelling"]},
            [*before(state), *failing(state, "OrderCancelling"), *COMPENSATIONS],
        )


def other_executions() -> Iterator[Case]:
    """Another execution for the same order was first, or is at work."""
    for refusal, end in (("AlreadyConfirmed", "Confirmed"), ("AlreadyCancelled", "Cancelled")):
        yield Case(f"second execution {end}", {"ReserveStock": [refusal]}, [*failing("ReserveStock", refusal), end])
        yield Case(
            f"{refusal} when turning back",
            {"AuthorizePayment": ["PaymentDeclined"], "StartCancellation": [refusal]},
            ["ReserveStock", "AuthorizePayment: PaymentDeclined", *failing("StartCancellation", refusal), end],
        )
    captured = {"CapturePayment": ["PaymentGatewayUnreachable"], "StartCancellation": ["AlreadyCaptured"]}
    turned_back = [
        *before("CapturePayment"),
        *failing("CapturePayment", *["PaymentGatewayUnreachable"] * DEADLINE_ATTEMPTS),
        *failing("StartCancellation", "AlreadyCaptured"),
    ]
    yield Case("forward once captured", captured, [*turned_back, "ConfirmOrder"])
    yield Case(
        "captured and then cancelled",
        {**captured, "ConfirmOrder": ["OrderCancelling"]},
        [*turned_back, "ConfirmOrder: OrderCancelling", *COMPENSATIONS],
    )


def recalls() -> Iterator[Case]:
    """The cancellation of a confirmed order."""
    machine = "order_cancellation"
    yield Case("recalled", {}, RECALL, machine=machine)
    yield Case(
        "dispatched",
        {"RecallShipment": ["ShipmentDispatched"]},
        ["RecallShipment: ShipmentDispatched", "RefuseCancellation"],
        machine=machine,
    )
    yield Case(
        "cancelled before",
        {"RecallShipment": ["AlreadyCancelled"]},
        ["RecallShipment: AlreadyCancelled", "Cancelled"],
        machine=machine,
    )
    for error in ("OrderNotConfirmed", "OrderNotFound", "BreachOfContract"):
        yield Case(f"not recalled: {error}", {"RecallShipment": [error]}, [f"RecallShipment: {error}"], error, machine)
    outside = {"RecallShipment": "CarrierUnreachable", "RefundPayment": "PaymentGatewayUnreachable"}
    troubles = {state: [*OWN_TROUBLE, *([outside[state]] * 9 if state in outside else [])] for state in RECALL}
    yield Case(
        "trouble at each step of a recall",
        {state: [*errors, OK] for state, errors in troubles.items()},
        [line for state, errors in troubles.items() for line in [*failing(state, *errors), state]],
        machine=machine,
    )
    yield Case(
        "trouble while refusing",
        {"RecallShipment": ["ShipmentDispatched"], "RefuseCancellation": [*OWN_TROUBLE, OK]},
        [
            "RecallShipment: ShipmentDispatched",
            *failing("RefuseCancellation", *OWN_TROUBLE),
            "RefuseCancellation",
        ],
        machine=machine,
    )
    yield Case(
        "a carrier out of reach for good",
        {"RecallShipment": ["CarrierUnreachable"]},
        failing("RecallShipment", *["CarrierUnreachable"] * LONG_ATTEMPTS),
        "CarrierUnreachable",
        machine,
    )
    for number, state in enumerate(RECALL):
        yield Case(
            f"bug in {state} of a recall",
            {state: ["KeyError"]},
            [*RECALL[:number], f"{state}: KeyError"],
            "KeyError",
            machine,
        )


def express_lane() -> Iterator[Case]:
    """Forward, with a second try; whatever else there is, the order saga is started."""
    machine = "order_saga_express"
    handed_over = ["HandOver", "HandedOver"]
    yield Case("express: all well", {}, FORWARD, machine=machine)
    yield Case(
        "express: each step needs its second try",
        {state: [error, OK] for state, error in zip(FORWARD, OWN_TROUBLE, strict=False)},
        [line for state, error in zip(FORWARD, OWN_TROUBLE, strict=False) for line in [*failing(state, error), state]],
        machine=machine,
    )
    for state, error in [*REFUSALS, ("ReserveStock", "OrderNotFound"), ("ConfirmOrder", "OrderCancelling")]:
        trace = [*before(state), *failing(state, error), *handed_over]
        yield Case(f"express: {error} at {state}", {state: [error]}, trace, machine=machine)
    for state, error in [*UNREACHABLE.items(), ("ReserveStock", "Contended"), ("ConfirmOrder", "States.Timeout")]:
        trace = [*before(state), *failing(state, error, error), *handed_over]
        yield Case(f"express: {error} at {state} twice", {state: [error]}, trace, machine=machine)
    for state in FORWARD:
        trace = [*before(state), *failing(state, "KeyError"), *handed_over]
        yield Case(f"express: bug in {state}", {state: ["KeyError"]}, trace, machine=machine)
    for refusal, end in (("AlreadyConfirmed", "Confirmed"), ("AlreadyCancelled", "Cancelled")):
        trace = [*failing("ReserveStock", refusal), end]
        yield Case(f"express: {refusal}", {"ReserveStock": [refusal]}, trace, machine=machine)
    yield Case(
        "express: the saga is started already",
        {"AuthorizePayment": ["PaymentDeclined"]},
        [
            *before("AuthorizePayment"),
            "AuthorizePayment: PaymentDeclined",
            "HandOver: StepFunctions.ExecutionAlreadyExistsException",
            "HandedOver",
        ],
        machine=machine,
        saga_started=True,
    )
