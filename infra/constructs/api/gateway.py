"""The gateway: what it checks, and where it sends the requests that pass."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_cdk import RemovalPolicy, Size, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from handlers.api.authorization import plan_key
from handlers.api.headers import PRIVATE
from handlers.intake.callers import OPERATE, READ, WRITE
from handlers.intake.parties import OPERATORS
from infra.constructs.api import request_templates as templates
from infra.constructs.api.firewall import Firewall
from infra.constructs.api.gateway_responses import (
    OF_PROBLEM,
    integration_headers,
    method_response,
    refuse_other_methods,
    refuse_with_problems,
    suppress_open,
)
from infra.constructs.api.identity import AUTHORIZER_CACHE, Identity
from infra.constructs.api.json_schema import draft4
from infra.constructs.suppressing import suppress
from infra.constructs.template import resource_of
from infra.constructs.trust import assumed_by
from infra.names import API_STAGE
from infra.settings.api import ApiSettings, PlanSettings

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sqs as sqs

# Of each document, whoever reads it, a second.
DOCUMENTS_PER_SECOND = 5
# A burst is what a rate allows in that many seconds.
BURST_SECONDS = 2
COMPRESSED_FROM_BYTES = 1024
JSON = "application/json"

DOCUMENTS = ("openapi.json", "docs", "docs/{file}")
"""What everybody may read: the OpenAPI document, the page that shows it, and the page's files."""


class HttpApi(apigateway.RestApi):
    """The REST API. Orders and cancellations go to `intake`; `query` answers everything else. `orders` takes orders.

    `authorizer` is the function that checks tokens, and names the API key on whose plan a request counts; without one,
    the gateway's own authorizer checks those of the pool, and the request names its key. `keys` are the API keys: one
    for each of `shops`, and one for operators.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        identity: Identity,
        authorizer: lambda_.IFunction | None,
        settings: ApiSettings,
        environment: str,
        shops: Iterable[str],
        intake: sqs.IQueue,
        query: lambda_.IFunction,
    ) -> None:
        callers = templates.FUNCTION_CLAIMS if authorizer else templates.POOL_CLAIMS
        super().__init__(
            scope,
            construct_id,
            rest_api_name=Stack.of(scope).stack_name,
            description="Orders, in and out.",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            api_key_source_type=(
                apigateway.ApiKeySourceType.AUTHORIZER if authorizer else apigateway.ApiKeySourceType.HEADER
            ),
            min_compression_size=Size.bytes(COMPRESSED_FROM_BYTES),
            cloud_watch_role=settings.account_log_role,
            cloud_watch_role_removal_policy=RemovalPolicy.DESTROY if settings.account_log_role else None,
            deploy_options=apigateway.StageOptions(
                stage_name=API_STAGE,
                throttling_rate_limit=settings.requests_per_second,
                throttling_burst_limit=settings.requests_per_second * BURST_SECONDS,
                tracing_enabled=True,
                metrics_enabled=True,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                method_options={
                    f"/{path}/GET": apigateway.MethodDeploymentOptions(
                        throttling_rate_limit=DOCUMENTS_PER_SECOND,
                        throttling_burst_limit=DOCUMENTS_PER_SECOND * BURST_SECONDS,
                        metrics_enabled=True,
                        logging_level=apigateway.MethodLoggingLevel.ERROR,
                    )
                    for path in DOCUMENTS
                },
                access_log_destination=apigateway.LogGroupLogDestination(logs.LogGroup(scope, "AccessLogs")),
                access_log_format=_access_log(callers),
            ),
        )
        self.error_log = self._error_log(scope)
        self._callers = callers
        self._authorizer = self._checks(identity, authorizer)
        self._role = iam.Role(scope, "GatewayRole", assumed_by=assumed_by(scope, "apigateway"))
        self._role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[intake.queue_arn]))
        self._validator = self.add_request_validator(
            "Body", validate_request_body=True, validate_request_parameters=True
        )
        self._intake = intake
        self._limited: list[apigateway.Method] = []
        refuse_with_problems(self)
        self.orders = self._routes(query)
        self.keys = {name: self._key(name, environment) for name in (*shops, OPERATORS)}
        self._plan("Plan", settings.plan, [name for name in self.keys if name not in settings.plans])
        for name, plan in settings.plans.items():
            self._plan(f"{name.capitalize()}Plan", plan, [name])
        self._protect(settings)

    def _protect(self, settings: ApiSettings) -> None:
        """Put the firewall in front of it, if the settings have one."""
        stage = self.deployment_stage
        if settings.firewall:
            Firewall(self, "Firewall", stage=stage, requests_per_minute=60 * settings.largest_plan_per_second)
        else:
            suppress(
                stage,
                "AwsSolutions-APIG3",
                "The settings of the environment go without, for what it costs: the stage, its methods and each caller "
                "have limits, and whatever is not a document needs a token.",
            )
        if settings.account_log_role:
            suppress(
                self.node.find_child("CloudWatchRole"),
                "AwsSolutions-IAM4",
                "The role is one of the region, for all APIs there: AWS keeps what API Gateway needs to log.",
                ending="AmazonAPIGatewayPushToCloudWatchLogs",
            )

    def _error_log(self, scope: Construct) -> logs.LogGroup:
        """Where the gateway logs what failed. It would make the group itself, and keep it for good.

        Of a body that does not fit its schema, it logs why, and so perhaps a part of it.
        """
        group = logs.LogGroup(
            scope, "ErrorLog", log_group_name=f"API-Gateway-Execution-Logs_{self.rest_api_id}/{API_STAGE}"
        )
        self.deployment_stage.node.add_dependency(group)
        return group

    def _checks(self, identity: Identity, function: lambda_.IFunction | None) -> apigateway.IAuthorizer:
        if function is None:
            return apigateway.CognitoUserPoolsAuthorizer(
                self, "PoolAuthorizer", cognito_user_pools=[identity.pool], results_cache_ttl=AUTHORIZER_CACHE
            )
        return apigateway.TokenAuthorizer(
            self, "FunctionAuthorizer", handler=function, results_cache_ttl=AUTHORIZER_CACHE
        )

    def _routes(self, query: lambda_.IFunction) -> apigateway.Method:
        """Make every method; returns the one that takes orders."""
        orders, stock = self.root.add_resource("orders"), self.root.add_resource("stock").add_resource("{sku}")
        order = orders.add_resource("{order_id}")
        events, cancellation = order.add_resource("events"), order.add_resource("cancellation")
        documents = [self.root.resource_for_path(path) for path in DOCUMENTS]
        asks = apigateway.LambdaIntegration(query, scope_permission_to_method=False)
        for resource in (orders, order, events, cancellation, stock):
            self._authorized(resource, "GET", asks, [READ, OPERATE])
        for resource in documents:
            made = resource.add_method("GET", asks, authorization_type=apigateway.AuthorizationType.NONE)
            suppress_open(made, "Everybody may read the documents of the API, at a rate of their own.")
        # Orders are placed by shops, and an operator is none.
        placing = self._accepts(orders, templates.submission(self._callers), [WRITE])
        self._accepts(cancellation, templates.cancellation(self._callers), [WRITE, OPERATE])
        for resource, allowed in (
            (orders, "GET, POST"),
            (cancellation, "GET, POST"),
            *((each, "GET") for each in (order, events, stock, *documents)),
        ):
            refuse_other_methods(resource, allowed)
        return placing

    def _accepts(
        self, resource: apigateway.Resource, wanted: templates.IntakeTemplates, scopes: Sequence[str]
    ) -> apigateway.Method:
        """`POST`: what fits the schema is sent to the intake queue, and answered with 202."""
        integration = apigateway.AwsIntegration(
            service="sqs",
            path=f"{self.env.account}/{self._intake.queue_name}",
            integration_http_method="POST",
            options=apigateway.IntegrationOptions(
                credentials_role=self._role,
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                request_parameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
                request_templates={JSON: wanted.request},
                integration_responses=[
                    apigateway.IntegrationResponse(
                        status_code=str(HTTPStatus.ACCEPTED.value),
                        selection_pattern="200",
                        response_parameters=integration_headers(PRIVATE),
                        response_templates={JSON: wanted.answer},
                    ),
                    apigateway.IntegrationResponse(
                        status_code=str(templates.REFUSED.value),
                        response_parameters=integration_headers(OF_PROBLEM),
                        response_templates={JSON: wanted.refusal},
                    ),
                ],
            ),
        )
        model = self.add_model(wanted.body.__name__, content_type=JSON, schema=apigateway.JsonSchema())
        schema = draft4(wanted.body)
        resource_of(model).add_property_override("Schema", schema)
        self._deployed_with(schema)
        return self._authorized(
            resource,
            "POST",
            integration,
            scopes,
            request_validator=self._validator,
            request_models={JSON: model},
            method_responses=[
                method_response(HTTPStatus.ACCEPTED, PRIVATE),
                method_response(templates.REFUSED, OF_PROBLEM),
            ],
        )

    def _deployed_with(self, schema: Mapping[str, Any]) -> None:
        """Deploy again when the schema changes, which CDK does not see: a stage checks by its last deployment."""
        if self.latest_deployment is None:
            raise TypeError("the API is not deployed")
        self.latest_deployment.add_to_logical_id(schema)

    def _authorized(
        self,
        resource: apigateway.IResource,
        method: str,
        integration: apigateway.Integration,
        scopes: Sequence[str],
        **options: Any,
    ) -> apigateway.Method:
        """A method for tokens with one of `scopes`, that counts on the plan of the caller's API key."""
        of_pool = self._callers is templates.POOL_CLAIMS
        made = resource.add_method(
            method,
            integration,
            authorizer=self._authorizer,
            # With scopes the gateway takes access tokens alone, without any it would take ID tokens.
            authorization_scopes=list(scopes) if of_pool else None,
            api_key_required=True,
            **options,
        )
        if not of_pool:
            suppress(
                made, "AwsSolutions-COG4", "A function of ours checks the tokens of the user pool, or of an issuer."
            )
        self._limited.append(made)
        return made

    def _key(self, name: str, environment: str) -> apigateway.IApiKey:
        """The API key of a shop, or of operators."""
        named = self._callers is templates.FUNCTION_CLAIMS
        return self.add_api_key(f"{name.capitalize()}Key", value=plan_key(environment, name) if named else None)

    def _plan(self, construct_id: str, plan: PlanSettings, names: Iterable[str]) -> None:
        """A usage plan for keys, by their names. A key can be on one plan of a stage, so the limits are of methods."""
        rates = {"POST": plan.orders_per_second, "GET": plan.questions_per_second}
        limits = [
            apigateway.ThrottlingPerMethod(method=method, throttle=_throttle(rates[method.http_method]))
            for method in self._limited
        ]
        made = self.add_usage_plan(
            construct_id,
            quota=apigateway.QuotaSettings(limit=plan.requests_per_day, period=apigateway.Period.DAY),
            api_stages=[apigateway.UsagePlanPerApiStage(api=self, stage=self.deployment_stage, throttle=limits)],
        )
        for name in names:
            made.add_api_key(self.keys[name])


def _access_log(callers: templates.CallerClaims) -> apigateway.AccessLogFormat:
    """A line of JSON for each request: who asked for what, and what was answered how fast. No token, body or address.

    Source: API Gateway developer guide, "Variables for access logging for API Gateway".
    """
    logged = {
        "requestId": "$context.requestId",
        "requestTime": "$context.requestTime",
        "subject": callers.subject,
        "httpMethod": "$context.httpMethod",
        "resourcePath": "$context.resourcePath",
        "protocol": "$context.protocol",
        "status": "$context.status",
        "responseLatency": "$context.responseLatency",
        "responseLength": "$context.responseLength",
    }
    return apigateway.AccessLogFormat.custom(json.dumps(logged))


def _throttle(rate: int) -> apigateway.ThrottleSettings:
    return apigateway.ThrottleSettings(rate_limit=rate, burst_limit=rate * BURST_SECONDS)
