"""The stack: what `infra/functions.py` lists, around the table and the two buses."""

from collections.abc import Iterable, Mapping

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infra.constructs.alarms import AlarmsTopic
from infra.constructs.api.gateway import HttpApi
from infra.constructs.api.identity import Identity, TokenIssuer
from infra.constructs.erasure import Erasure
from infra.constructs.granting import grant
from infra.constructs.lambda_function import LibrariesLayer, PipelineFunction
from infra.constructs.parties_layer import PartiesLayer
from infra.constructs.projection_rebuild import ProjectionRebuild
from infra.constructs.queue_triggers import import_files, store_dead_letters, subscribe
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.saga import CANCELLATION, ORDER_SAGA, Saga
from infra.constructs.shared_resources import SharedResources
from infra.constructs.stream_trigger import follow
from infra.function_spec import DeadLetterQueues, DroppedFiles, FunctionSpec, Subscription, TableChanges, Tasks
from infra.functions import AUTHORIZER, FUNCTIONS
from infra.names import in_template
from infra.package import Built, Package
from infra.settings.environment import Settings


class OrderPipeline(Stack):
    """The order pipeline.

    `packages` are what the functions run from, `settings` are those of the environment, `email_sender` is the address
    that order e-mails come from. An authorizer function checks the tokens of `issuer`, or else those of the user pool.
    With `pool_authorizer` the gateway's own authorizer checks those of the pool.

    Raises:
        ValueError: there is an `issuer`, and the gateway's own authorizer is wanted, which knows the pool alone.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        packages: Mapping[Package, Built],
        settings: Settings,
        email_sender: str,
        issuer: TokenIssuer | None,
        pool_authorizer: bool = False,
    ) -> None:
        if issuer and pool_authorizer:
            raise ValueError(f"the gateway's own authorizer does not know the issuer {issuer.issuer}")
        super().__init__(
            scope, construct_id, description="An event-sourced order pipeline", termination_protection=True
        )
        self._packages = packages
        self._layers = {package: LibrariesLayer(self, package, built.layer) for package, built in packages.items()}
        self._parties = PartiesLayer(self, settings.parties)
        self._output("Shops", " ".join(settings.shops))
        self._shared = SharedResources(self, email_sender, settings)
        self._output_shared()
        # Every function is there before any is connected, so that their order does not matter.
        self._functions = {spec.key: self._function(spec) for spec in FUNCTIONS}
        sagas = self._state_machines()
        dead_letters = [made.dead_letters for made in self._functions.values() if made.dead_letters]
        dead_letters += [self._shared.audit_copy.dead_letters, *(saga.dead_letters for saga in sagas)]
        for queue in dead_letters:
            self._output(f"{in_template(queue.source)}DeadLetterQueueUrl", queue.queue_url)
        for function in self._functions.values():
            self._connect(function, dead_letters)
        self._api(settings, issuer, pool_authorizer=pool_authorizer)
        alarms = AlarmsTopic(self, "Alarms")
        self._output("AlarmsTopicArn", alarms.topic_arn)
        alarms.notify_of_all(self)

    def _function(self, spec: FunctionSpec) -> PipelineFunction:
        code, layer = self._packages[spec.package].code[spec.key], self._layers[spec.package]
        function = PipelineFunction(self, spec, code, layer, self._shared.table)
        if spec.knows_parties:
            self._parties.give_to(function)
        self._output(f"{spec.name}FunctionName", function.function_name)
        if spec.queued:
            self._output(f"{spec.name}QueueUrl", function.queue.queue_url)
        return function

    def _connect(self, function: PipelineFunction, dead_letters: Iterable[DeadLetterQueue]) -> None:
        """Give a function its grants and its trigger; state machines and the API connect to theirs."""
        for wanted in function.spec.grants:
            grant(function, wanted, self._shared)
        match function.spec.trigger:
            case Subscription() as subscription:
                subscribe(function, subscription, self._shared)
            case DroppedFiles() as files:
                import_files(function, files, self._functions[files.orders_to].queue, self._shared)
            case TableChanges() as changes:
                follow(function, changes, self._shared)
            case DeadLetterQueues() as wanted_queues:
                store_dead_letters(function, wanted_queues, dead_letters, self._shared)

    def _state_machines(self) -> list[Saga]:
        functions = {
            made.spec.placeholder: made for made in self._functions.values() if isinstance(made.spec.trigger, Tasks)
        }
        order = Saga(self, ORDER_SAGA, functions=functions, bus=self._shared.orders)
        cancellation = Saga(self, CANCELLATION, functions=functions, bus=self._shared.orders)
        rebuild = ProjectionRebuild(self, functions=functions)
        erasure = Erasure(self, functions=functions)
        self._output("StateMachineArn", order.state_machine.state_machine_arn)
        self._output("CancellationStateMachineArn", cancellation.state_machine.state_machine_arn)
        self._output("RebuildStateMachineArn", rebuild.state_machine.state_machine_arn)
        self._output("ErasureStateMachineArn", erasure.state_machine.state_machine_arn)
        return [order, cancellation]

    def _api(self, settings: Settings, issuer: TokenIssuer | None, *, pool_authorizer: bool) -> None:
        identity = Identity(self, "Identity")
        api = HttpApi(
            self,
            "Api",
            identity=identity,
            authorizer=None if pool_authorizer else self._authorizer(issuer or identity.issuer),
            shops=settings.shops,
            intake=self._functions["order_intake"].queue,
            query=self._functions["api_query"],
        )
        self._output("ApiUrl", api.url)
        self._output("ApiId", api.rest_api_id)
        for name, key in api.keys.items():
            self._output(f"{name.capitalize()}ApiKeyId", key.key_id)
        self._output("TokenUrl", f"{identity.domain.base_url()}/oauth2/token")
        self._output("UserPoolId", identity.pool.user_pool_id)
        self._output("ShopClientId", identity.shop.user_pool_client_id)
        self._output("OperationsClientId", identity.operations.user_pool_client_id)

    def _authorizer(self, issuer: TokenIssuer) -> PipelineFunction:
        function = self._function(AUTHORIZER)
        function.add_environment("JWT_ISSUER", issuer.issuer)
        function.add_environment("JWT_JWKS_URL", issuer.jwks_url)
        function.add_environment("JWT_AUDIENCE", " ".join(issuer.audience))
        return function

    def _output_shared(self) -> None:
        shared = self._shared
        self._output("TableName", shared.table.table_name)
        self._output("VaultTableName", shared.vault.table_name)
        self._output("RejectionKeyArn", shared.rejection_key.secret_arn)
        self._output("IntakeBusName", shared.intake.event_bus_name)
        self._output("OrdersBusName", shared.orders.event_bus_name)
        for role, policy in shared.intake.publishers.items():
            self._output(f"{role.capitalize()}PublishersPolicyArn", policy.managed_policy_arn)
        for shop, policy in shared.files.policies.items():
            self._output(f"{shop.capitalize()}FilesPolicyArn", policy.managed_policy_arn)
        self._output("StreamFailuresBucketName", shared.stream_failures.bucket_name)
        self._output("FilesBucketName", shared.files.bucket_name)
        self._output("AuditBucketName", shared.audit_copy.bucket.bucket_name)
        self._output("DeadLetterBucketName", shared.dead_letters.bucket_name)
        self._output("ErasureLedgerName", shared.erasures.bucket_name)
        self._output("EmailSender", shared.email_sender)

    def _output(self, name: str, value: str) -> None:
        CfnOutput(self, f"{name}Output", value=value).override_logical_id(name)
