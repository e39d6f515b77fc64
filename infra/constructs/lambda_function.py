"""One Lambda function with a role of its own, and the layer of libraries that it shares."""

from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.orders_table import OrdersTable
from infra.constructs.queues import DeadLetterQueue, WorkQueue
from infra.constructs.suppressing import suppress
from infra.constructs.template import created_after_policy, name_in_template
from infra.constructs.trust import assumed_by
from infra.function_spec import FunctionSpec
from infra.names import in_template
from infra.package.python_version import SUPPORTED, functions_python
from infra.settings.functions import FunctionSettings, ProvisionedSettings

LIVE = "live"
"""The alias of each function that whatever calls it calls: the version that is deployed."""

USED_PART = 0.75
"""How much of the provisioned concurrency is used at most before there is more."""

_ARCHITECTURE = lambda_.Architecture.ARM_64


def _runtime() -> lambda_.Runtime:
    # Which versions Lambda takes snapshots of, the settings know.
    return lambda_.Runtime(f"python{functions_python()}", lambda_.RuntimeFamily.PYTHON, supports_snap_start=True)


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
    """The function that `spec` describes, with its role, its log group and its queues.

    `code` is our code of it, a folder or a zip file; `layer` has the libraries. What calls it calls the alias `live`.
    """

    def __init__(
        self,
        scope: Construct,
        spec: FunctionSpec,
        settings: FunctionSettings,
        *,
        code: Path,
        layer: lambda_.ILayerVersion,
        table: OrdersTable,
    ) -> None:
        scope = Construct(scope, spec.name)
        self.spec = spec
        role = iam.Role(scope, "Role", assumed_by=assumed_by(scope, "lambda"))
        log_group = logs.LogGroup(scope, "Logs")
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
            reserved_concurrent_executions=settings.reserved,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if settings.snap_start else None,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log_group,
            # Without Lambda's own lines for each start and end of a call: they are paid for, and metrics say the same.
            logging_format=lambda_.LoggingFormat.JSON,
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            # No higher: metrics are lines at this level, too.
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
            environment={
                "TABLE_NAME": table.table_name,
                "POWERTOOLS_SERVICE_NAME": spec.key,
                "POWERTOOLS_METRICS_NAMESPACE": Stack.of(scope).stack_name,
                "POWERTOOLS_LOG_LEVEL": "INFO",
            },
        )
        name_in_template(self, spec.name)
        created_after_policy(self, role)
        self.own_role = role
        self._suppress()
        self.live = self._publish(scope, settings.provisioned)
        self.dead_letters = self._dead_letter_queue(scope)
        self._queue = self._work_queue(scope)

    def _suppress(self) -> None:
        suppress(
            self,
            "Serverless-LambdaDLQ",
            "Queues, the table's stream, sagas and the API wait for its answer, and deal with a failure themselves. Of "
            "a call by the clock that is lost, the next one does all.",
        )
        suppress(self.own_role, "AwsSolutions-IAM5", "X-Ray's actions take no resource.", ending="Resource::*")
        if functions_python() != SUPPORTED[-1]:
            for rule in ("AwsSolutions-L1", "Serverless-LambdaLatestVersion"):
                suppress(self, rule, "Functions run on the Python that builds them, of those that Lambda supports.")

    def _publish(self, scope: Construct, provisioned: ProvisionedSettings | None) -> lambda_.Alias:
        """The alias of the version that is deployed. It gets `provisioned` concurrency, by how much of it is used."""
        live = lambda_.Alias(scope, "Live", alias_name=LIVE, version=self.current_version)
        if provisioned:
            scaling = live.add_auto_scaling(min_capacity=provisioned.minimum, max_capacity=provisioned.maximum)
            scaling.scale_on_utilization(utilization_target=USED_PART)
        return live

    @property
    def queue(self) -> WorkQueue:
        """The queue in front of it.

        Raises:
            TypeError: its trigger goes through none.
        """
        if self._queue is None:
            raise TypeError(f"{self.spec.key} has no queue in front of it")
        return self._queue

    def _dead_letter_queue(self, scope: Construct) -> DeadLetterQueue | None:
        """The queue for what it cannot process, if it has one: it sends there itself, with the reason."""
        if not self.spec.has_dead_letter_queue:
            return None
        queue = DeadLetterQueue(scope, "DeadLetterQueue", self.spec.key)
        self.add_environment("DEAD_LETTER_QUEUE_URL", queue.queue_url)
        self.allow(["sqs:SendMessage"], [queue.queue_arn])
        if not self.spec.queued:
            suppress(queue, "AwsSolutions-SQS3", "The function puts there what it cannot process.")
        return queue

    def _work_queue(self, scope: Construct) -> WorkQueue | None:
        if not self.spec.queued or self.dead_letters is None:
            return None
        return WorkQueue(scope, "Queue", self.spec.name, self.spec.hidden_seconds, self.dead_letters)

    def allow(self, actions: list[str], resources: list[str]) -> None:
        """Add a statement to the function's role."""
        self.own_role.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=resources))
