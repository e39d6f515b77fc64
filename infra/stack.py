"""The stack: what `infra/functions.py` lists, around the table and the two buses."""

from collections.abc import Mapping

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.constructs.alarms import AlarmsTopic
from infra.constructs.api.gateway import HttpApi
from infra.constructs.api.identity import Identity, TokenIssuer
from infra.constructs.audit_copy import AuditCopy
from infra.constructs.buses import IntakeBus, OrdersBus
from infra.constructs.dead_letter_bucket import DeadLetterBucket
from infra.constructs.files_bucket import FilesBucket
from infra.constructs.lambda_function import LibrariesLayer, PipelineFunction
from infra.constructs.orders_table import OrdersTable
from infra.constructs.projection_rebuild import Rebuild
from infra.constructs.queues import WorkQueue
from infra.constructs.saga import CANCELLATION, ORDER_SAGA, Saga
from infra.constructs.triggers import feed, import_files, store_dead_letters, subscribe
from infra.functions import AUTHORIZER, FUNCTIONS, DeadLetterQueues, FileDrop, Function, Subscription, TableFeed
from infra.names import in_template
from infra.package import Built, Package


class OrderPipeline(Stack):
    """The order pipeline.

    `packages` are what the functions run from, `email_sender` is the address that order e-mails come from. An
    authorizer function checks the tokens of `issuer` if there is one, and with `checks_tokens` those of the pool; else
    the gateway does.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        packages: Mapping[Package, Built],
        email_sender: str,
        checks_tokens: bool,
        issuer: TokenIssuer | None,
    ) -> None:
        super().__init__(
            scope, construct_id, description="An event-sourced order pipeline", termination_protection=True
        )
        self._packages = packages
        self._layers = {package: LibrariesLayer(self, package, built.layer) for package, built in packages.items()}
        self._queues: dict[str, WorkQueue] = {}
        self._table = OrdersTable(self, "Table")
        self._intake = IntakeBus(self, "IntakeBus")
        self._orders = OrdersBus(self, "OrdersBus")
        self._sender = ses.EmailIdentity(self, "Sender", identity=ses.Identity.email(email_sender))
        self._failures = s3.Bucket(
            self,
            "FeedFailures",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(90))],
        )
        self._files = FilesBucket(self, "Files")
        self._audit_copy = AuditCopy(self, "AuditCopy", self._orders)
        dead_letter_bucket = DeadLetterBucket(self, "DeadLetterBucket")
        alarms = AlarmsTopic(self, "Alarms")
        self._output("TableName", self._table.table_name)
        self._output("IntakeBusName", self._intake.event_bus_name)
        self._output("OrdersBusName", self._orders.event_bus_name)
        self._output("PublishersPolicyArn", self._intake.publishers.managed_policy_arn)
        self._output("FeedFailuresBucketName", self._failures.bucket_name)
        self._output("FilesBucketName", self._files.bucket_name)
        self._output("AuditBucketName", self._audit_copy.bucket.bucket_name)
        self._output("DeadLetterBucketName", dead_letter_bucket.bucket_name)
        self._output("AlarmsTopicArn", alarms.topic_arn)
        self._output("EmailSender", email_sender)

        functions = [self._function(spec, email_sender) for spec in FUNCTIONS]
        self._api({made.spec.key: made for made in functions}, issuer, checks_tokens=checks_tokens)
        services = {made.spec.saga_placeholder: made for made in functions if made.spec.saga_placeholder}
        dead_letters = [made.dead_letters for made in functions if made.dead_letters]
        dead_letters.append(self._audit_copy.dead_letters)
        for spec, output in ((ORDER_SAGA, "StateMachineArn"), (CANCELLATION, "CancellationStateMachineArn")):
            saga = Saga(self, spec, services=services, bus=self._orders)
            self._output(output, saga.state_machine.state_machine_arn)
            dead_letters.append(saga.dead_letters)
        [rebuilding] = [made for made in functions if made.spec.rebuilds]
        rebuild = Rebuild(self, function=rebuilding, bus=self._orders)
        self._output("RebuildStateMachineArn", rebuild.state_machine.state_machine_arn)
        for queue in dead_letters:
            self._output(f"{in_template(queue.source)}DeadLetterQueueUrl", queue.queue_url)
        for made in functions:
            if isinstance(made.spec.trigger, DeadLetterQueues):
                store_dead_letters(made, made.spec.trigger, dead_letters, dead_letter_bucket)
        alarms.tell_of_all(self)

    def _function(self, spec: Function, email_sender: str) -> PipelineFunction:
        function = self._made(spec)
        match spec.trigger:
            case Subscription() as subscription:
                bus = self._intake if subscription.bus == "intake" else self._orders
                self._queues[spec.key] = subscribe(function, subscription, bus)
            case FileDrop() as drop:
                self._queues[spec.key] = import_files(function, drop, self._files, self._queues[drop.orders_to])
            case TableFeed() as wanted:
                feed(function, wanted, self._table, self._failures)
        if spec.key in self._queues:
            self._output(f"{spec.name}QueueUrl", self._queues[spec.key].queue_url)
        if spec.publishes:
            function.add_environment("ORDERS_BUS_NAME", self._orders.event_bus_name)
            self._orders.only_from(function.own_role)
        if spec.sends_email:
            function.add_environment("EMAIL_SENDER", email_sender)
            function.allow(["ses:SendEmail"], [self._sender.email_identity_arn])
        return function

    def _made(self, spec: Function) -> PipelineFunction:
        code, layer = self._packages[spec.package].code, self._layers[spec.package]
        function = PipelineFunction(self, spec, code, layer, self._table)
        self._output(f"{spec.name}FunctionName", function.function_name)
        return function

    def _api(
        self, functions: Mapping[str, PipelineFunction], issuer: TokenIssuer | None, *, checks_tokens: bool
    ) -> None:
        identity = Identity(self, "Identity")
        api = HttpApi(
            self,
            "Api",
            identity=identity,
            authorizer=self._authorizer(issuer or identity.issuer) if issuer or checks_tokens else None,
            intake=self._queues["order_intake"],
            query=functions["api_query"],
        )
        self._output("ApiUrl", api.url)
        self._output("ApiId", api.rest_api_id)
        self._output("ApiKeyId", api.key.key_id)
        self._output("TokenUrl", f"{identity.domain.base_url()}/oauth2/token")
        self._output("UserPoolId", identity.pool.user_pool_id)
        self._output("ShopClientId", identity.shop.user_pool_client_id)
        self._output("OperationsClientId", identity.operations.user_pool_client_id)

    def _authorizer(self, issuer: TokenIssuer) -> PipelineFunction:
        function = self._made(AUTHORIZER)
        function.add_environment("JWT_ISSUER", issuer.issuer)
        function.add_environment("JWT_JWKS_URL", issuer.jwks_url)
        function.add_environment("JWT_AUDIENCE", " ".join(issuer.audience))
        return function

    def _output(self, name: str, value: str) -> None:
        CfnOutput(self, f"{name}Output", value=value).override_logical_id(name)
