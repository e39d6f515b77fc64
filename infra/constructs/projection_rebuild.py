"""The rebuild of projections: a state machine, started by people, and what its function may do."""

from aws_cdk import Stack
from constructs import Construct

from infra.constructs.buses import OrdersBus
from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.workflow import Workflow
from infra.names import ARCHIVE_NAME

NAME = "RebuildProjection"


class Rebuild(Construct):
    """The state machine whose steps `function` does; they may replay the archive of `bus`."""

    def __init__(self, scope: Construct, *, function: PipelineFunction, bus: OrdersBus) -> None:
        super().__init__(scope, "RebuildProjection")
        stack = Stack.of(self)
        archive, replays = (
            stack.format_arn(service="events", resource=resource, resource_name=name)
            for resource, name in (("archive", ARCHIVE_NAME), ("replay", "rebuild.*"))
        )
        function.add_environment("ARCHIVE_ARN", archive)
        function.add_environment("ORDERS_BUS_ARN", bus.event_bus_arn)
        function.allow(["events:StartReplay"], [archive, bus.event_bus_arn, replays])
        function.allow(["events:DescribeReplay"], [replays])
        self.state_machine = Workflow(
            self,
            name=NAME,
            definition="rebuild_projection.asl.json",
            services={"RebuildArn": function},
            on_failure="a rebuild failed, and the old generation is live. The execution says why; start it again.",
        )
