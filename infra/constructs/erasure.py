"""Erasure: a state machine that people start."""

from collections.abc import Mapping

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.workflow import Workflow, definition_in


class Erasure(Construct):
    """The state machine of erasures. `functions` are those that its tasks may call, by their placeholders."""

    def __init__(self, scope: Construct, *, functions: Mapping[str, lambda_.IFunction]) -> None:
        super().__init__(scope, "Erasures")
        self.state_machine = Workflow(
            self,
            name="Erasure",
            definition=definition_in("erasure.asl.json"),
            functions=functions,
        )
