"""The stack of the application: what `infra/functions.py` lists, around what holds data."""

from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import Environment, Stack
from constructs import Construct

from infra.constructs.api.gateway import HttpApi
from infra.constructs.api.identity import Identity
from infra.constructs.budget import Budget
from infra.constructs.data_resources import DataResources
from infra.constructs.gradual_deployment import GradualDeployments
from infra.constructs.granting import grant
from infra.constructs.lambda_function import LibrariesLayer, PipelineFunction
from infra.constructs.log_groups import keep_logs
from infra.constructs.network import PrivateNetwork
from infra.constructs.parties_layer import PartiesLayer
from infra.constructs.queue_triggers import import_files, store_dead_letters, subscribe
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.schedule_trigger import call_regularly
from infra.constructs.shared_resources import SharedResources
from infra.constructs.state_machines import StateMachines
from infra.constructs.stream_trigger import follow
from infra.constructs.sweep import let_sweep
from infra.constructs.template import output
from infra.constructs.watching.topics import AlarmTopics
from infra.constructs.watching.watch import Watch
from infra.function_spec import (
    DeadLetterQueues,
    DroppedFiles,
    FunctionSpec,
    Schedule,
    Subscription,
    TableChanges,
    Tasks,
)
from infra.functions import AUTHORIZER, FUNCTIONS
from infra.names import application_stack, in_template
from infra.package import Built, Package
from infra.package.python_version import functions_python
from infra.retention import API_ERRORS
from infra.settings.api import IssuerSettings
from infra.settings.environment import InvalidSettings, Settings
from infra.settings.functions import FunctionSettings, wrong_functions


class ApplicationStack(Stack):
    """The order pipeline of an environment, around its `data`. `packages` are what the functions run from."""

    def __init__(
        self,
        scope: Construct,
        environment: str,
        settings: Settings,
        *,
        data: DataResources,
        packages: Mapping[Package, Built],
        protected: bool,
    ) -> None:
        keys = {spec.key for spec in (*FUNCTIONS, AUTHORIZER)}
        if wrong := list(wrong_functions(settings.functions, keys, functions_python())):
            raise InvalidSettings("; ".join(wrong))
        super().__init__(
            scope,
            application_stack(environment),
            env=Environment(account=settings.account, region=settings.region),
            description=f"The order pipeline {environment}",
            termination_protection=protected,
        )
        self._environment = environment
        self._settings = settings
        self._packages = packages
        self._layers = {package: LibrariesLayer(self, package, built.layer) for package, built in packages.items()}
        self._parties = PartiesLayer(self, settings.parties)
        output(self, "Shops", " ".join(settings.shops))
        self._shared = SharedResources(self, environment, settings, data)
        self._output_shared()
        # Every function is there before any is connected, so that their order does not matter.
        self._functions = {spec.key: self._function(spec) for spec in FUNCTIONS}
        machines = self._state_machines()
        dead_letters = [made.dead_letters for made in self._functions.values() if made.dead_letters]
        dead_letters += [self._shared.audit_copy.dead_letters, *(saga.dead_letters for saga in machines.sagas)]
        for queue in dead_letters:
            output(self, f"{in_template(queue.source)}DeadLetterQueueUrl", queue.queue_url)
        for function in self._functions.values():
            self._connect(function, dead_letters)
        queued = [made for made in self._functions.values() if made.spec.queued]
        let_sweep(self._functions["sweep"], machines.sagas, queued, settings.sweep)
        # Operators call it, to publish events once more.
        output(self, "OutboxFunctionArn", self._functions["outbox"].live.function_arn)
        api = self._api(settings, data.identity)
        if settings.gradual:
            self._deploy_gradually()
        keep_logs(self, settings.logs.days)
        keep_logs(api.error_log, min(settings.logs.days, API_ERRORS.days))
        if settings.network.private:
            self._keep_inside(settings.network.availability_zones)
        if data.key:
            data.key.encrypt_all(self)
        Watch(
            self,
            "Watch",
            settings.alarms,
            functions=self._functions,
            dead_letters=dead_letters,
            shared=self._shared,
            machines=machines,
            api=api,
            backups=data.backups,
        )
        topics = AlarmTopics(self, "Topics", email=settings.alarms.email, page_email=settings.alarms.page_email)
        output(self, "AlarmsTopicArn", topics.informed.topic_arn)
        output(self, "PagesTopicArn", topics.paged.topic_arn)
        topics.notify_of_all(self)
        if settings.cost.budget:
            Budget(self, "Budget", settings.cost.budget, topics.informed)

    def _function(self, spec: FunctionSpec) -> PipelineFunction:
        code, layer = self._packages[spec.package].code[spec.key], self._layers[spec.package]
        wanted = self._settings.functions.get(spec.key, FunctionSettings())
        function = PipelineFunction(self, spec, wanted, code=code, layer=layer, table=self._shared.table)
        if spec.knows_parties:
            self._parties.give_to(function)
        output(self, f"{spec.name}FunctionName", function.function_name)
        if spec.queued:
            output(self, f"{spec.name}QueueUrl", function.queue.queue_url)
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
            case Schedule() as schedule:
                call_regularly(function, schedule)

    def _state_machines(self) -> StateMachines:
        functions = {
            made.spec.placeholder: made.live
            for made in self._functions.values()
            if isinstance(made.spec.trigger, Tasks)
        }
        made = StateMachines(self, functions=functions, bus=self._shared.orders, lane=self._settings.lane)
        output(self, "StateMachineArn", made.order.state_machine.state_machine_arn)
        output(self, "LiveStateMachineArn", made.order.state_machine.live_arn)
        output(self, "ExpressStateMachineArn", made.express.state_machine.state_machine_arn)
        output(self, "Lane", self._settings.lane)
        output(self, "CancellationStateMachineArn", made.cancellation.state_machine.state_machine_arn)
        output(self, "LiveCancellationStateMachineArn", made.cancellation.state_machine.live_arn)
        output(self, "RebuildStateMachineArn", made.rebuild.state_machine.live_arn)
        output(self, "ErasureStateMachineArn", made.erasure.state_machine.live_arn)
        return made

    def _api(self, settings: Settings, identity: Identity) -> HttpApi:
        issuer = settings.api.issuer or identity.issuer
        api = HttpApi(
            self,
            "Api",
            identity=identity,
            authorizer=None if settings.api.pool_authorizer else self._authorizer(issuer).live,
            settings=settings.api,
            environment=self._environment,
            shops=settings.shops,
            intake=self._functions["order_intake"].queue,
            query=self._functions["api_query"].live,
        )
        output(self, "ApiUrl", api.url)
        output(self, "ApiId", api.rest_api_id)
        for name, key in api.keys.items():
            output(self, f"{name.capitalize()}ApiKeyId", key.key_id)
        return api

    def _authorizer(self, issuer: IssuerSettings) -> PipelineFunction:
        function = self._functions[AUTHORIZER.key] = self._function(AUTHORIZER)
        function.add_environment("ENVIRONMENT", self._environment)
        function.add_environment("JWT_ISSUER", issuer.issuer)
        function.add_environment("JWT_JWKS_URL", issuer.jwks_url)
        function.add_environment("JWT_AUDIENCE", " ".join(issuer.audience))
        return function

    def _deploy_gradually(self) -> None:
        """What callers of the API and the sagas wait for. The rest works from queues, where messages can wait."""
        gradual = GradualDeployments(self, "Gradual")
        for function in self._functions.values():
            if isinstance(function.spec.trigger, Tasks | None):
                gradual.deploy(function)

    def _keep_inside(self, zones: Sequence[str]) -> None:
        """Let functions run in a private network: all but the authorizer, which asks whoever issues tokens for keys."""
        functions = [each for each in self._functions.values() if each.spec != AUTHORIZER]
        PrivateNetwork(self, "Network", zones=zones, functions=functions)

    def _output_shared(self) -> None:
        shared = self._shared
        output(self, "IntakeBusName", shared.intake.event_bus_name)
        for role, policy in shared.intake.publishers.items():
            output(self, f"{role.capitalize()}PublishersPolicyArn", policy.managed_policy_arn)
        output(self, "EmailSender", shared.mail.sender)
        output(self, "EmailReportsLogGroup", shared.mail.reports.log_group_name)
