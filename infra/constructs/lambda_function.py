"""One Lambda function with a role of its own, and the layer of libraries that it shares."""

from pathlib import Path

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.orders_table import OrdersTable
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.template import created_after_policy, name_in_template
from infra.functions import FileDrop, Function
from infra.names import METRICS_NAMESPACE, in_template
from infra.package.runtime import functions_python

_ARCHITECTURE = lambda_.Architecture.ARM_64


def _runtime() -> lambda_.Runtime:
    return lambda_.Runtime(f"python{functions_python()}", lambda_.RuntimeFamily.PYTHON)


class LibrariesLayer(lambda_.LayerVersion):
    """The libraries of a package, in the folder or zip file `libraries`: uploaded again only when they change."""

    def __init__(self, scope: Construct, package: str, libraries: Path) -> None:
        super().__init__(
            scope,
            f"{in_template(package)}Libraries",
            code=lambda_.Code.from_asset(str(libraries)),
            compatible_runtimes=[_runtime()],
            compatible_architectures=[_ARCHITECTURE],
        )


class PipelineFunction(lambda_.Function):
    """The function that `spec` describes, granted its rows of the table, its log group and its dead-letter queue.

    `code` is our code of the function's package, a folder or a zip file, uploaded once for all functions of the
    package; `layer` has the libraries.
    `dead_letters` is the queue for what it cannot handle, if it has one: it sends there itself, and says why.
    """

    def __init__(
        self, scope: Construct, spec: Function, code: Path, layer: lambda_.ILayerVersion, table: OrdersTable
    ) -> None:
        scope = Construct(scope, spec.name)
        self.spec = spec
        role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group = logs.LogGroup(scope, "Logs", retention=logs.RetentionDays.ONE_MONTH)
        log_group.grant_write(role)
        super().__init__(
            scope,
            "Function",
            runtime=_runtime(),
            architecture=_ARCHITECTURE,
            handler=spec.handler,
            code=lambda_.Code.from_asset(str(code)),
            layers=[layer],
            role=role,
            timeout=Duration.seconds(spec.timeout),
            memory_size=spec.memory,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log_group,
            # Lambda ends what looks like a loop after 16 rounds, and a large file takes more stretches than that: each
            # ends with a message to the function itself, and every one of them gets further in the file.
            recursive_loop=lambda_.RecursiveLoop.ALLOW if isinstance(spec.trigger, FileDrop) else None,
            environment={
                "TABLE_NAME": table.table_name,
                "POWERTOOLS_SERVICE_NAME": spec.key,
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
                "POWERTOOLS_LOG_LEVEL": "INFO",
            },
        )
        name_in_template(self, spec.name)
        created_after_policy(self, role)
        self.own_role = role
        for rows in spec.rows:
            table.grant_rows(role, rows)
        self.dead_letters = self._dead_letters(scope)

    def _dead_letters(self, scope: Construct) -> DeadLetterQueue | None:
        if not self.spec.dead_letters:
            return None
        queue = DeadLetterQueue(scope, "DeadLetterQueue", self.spec.key)
        self.add_environment("DEAD_LETTER_QUEUE_URL", queue.queue_url)
        self.allow(["sqs:SendMessage"], [queue.queue_arn])
        return queue

    def allow(self, actions: list[str], resources: list[str]) -> None:
        """Add a statement to the function's role."""
        self.own_role.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=resources))
