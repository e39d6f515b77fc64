"""Every state machine of the pipeline."""

from collections.abc import Mapping
from typing import Literal

from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.erasure import Erasure
from infra.constructs.projection_rebuild import ProjectionRebuild
from infra.constructs.saga import CANCELLATION, ORDER_SAGA, ExpressLane, Saga


class StateMachines:
    """They are made in `scope`. `functions` are those that their tasks may call, by their placeholders.

    A placed order on `bus` starts the machine of the `lane`. Both lanes are there in either case: to change the lane
    changes what is started, and nothing under way.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        functions: Mapping[str, lambda_.IFunction],
        bus: events.IEventBus,
        lane: Literal["express", "standard"],
    ) -> None:
        self.order = Saga(scope, ORDER_SAGA, functions=functions)
        self.express = ExpressLane(scope, self.order, functions=functions)
        lanes = {"express": self.express.state_machine, "standard": self.order.state_machine}
        self.order.start_on(bus, lanes[lane])
        self.cancellation = Saga(scope, CANCELLATION, functions=functions)
        self.cancellation.start_on(bus, self.cancellation.state_machine)
        self.rebuild = ProjectionRebuild(scope, functions=functions)
        self.erasure = Erasure(scope, functions=functions)

    @property
    def sagas(self) -> tuple[Saga, Saga]:
        """Those that take orders to an outcome, the one with retries first."""
        return self.order, self.cancellation
