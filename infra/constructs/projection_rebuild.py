"""The rebuild of projections: a state machine that people start."""

from collections.abc import Mapping

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.workflow import Workflow, definition_in


class ProjectionRebuild(Construct):
    """The state machine of the rebuild. `functions` are those that its tasks may call, by their placeholders."""

    def __init__(self, scope: Construct, *, functions: Mapping[str, lambda_.IFunction]) -> None:
        super().__init__(scope, "RebuildProjection")
        self.state_machine = Workflow(
            self,
            name="RebuildProjection",
            definition=definition_in("rebuild_projection.asl.json"),
            functions=functions,
        )
