"""The gateway: what it checks, and where it sends the requests that pass."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from handlers.api.problems import CONTENT_TYPE as PROBLEM
from handlers.api.problems import problem
from handlers.intake.callers import OPERATE, READ, WRITE
from infra.constructs.api import request_templates as templates
from infra.constructs.api.identity import AUTHORIZER_CACHE, Identity
from infra.constructs.api.json_schema import draft4
from infra.constructs.template import resource_of
from infra.constructs.trust import assumed_by
from infra.names import API_STAGE

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sqs as sqs

# Of the whole stage, whoever calls.
STAGE_RATE, STAGE_BURST = 500, 1000
# Of an API key: requests a second, at once, and a day.
PLAN_RATE, PLAN_BURST, PLAN_QUOTA = 100, 200, 10_000
JSON = "application/json"

_Response = apigateway.ResponseType
_MESSAGE = "$context.error.messageString"
# What the gateway refuses by itself: status, and detail as its template language has it.
_PROBLEMS: Mapping[apigateway.ResponseType, tuple[HTTPStatus, str]] = {
    _Response.BAD_REQUEST_BODY: (HTTPStatus.BAD_REQUEST, '"$context.error.validationErrorString"'),
    _Response.BAD_REQUEST_PARAMETERS: (HTTPStatus.BAD_REQUEST, _MESSAGE),
    _Response.UNAUTHORIZED: (HTTPStatus.UNAUTHORIZED, '"the token is missing, or not valid"'),
    _Response.ACCESS_DENIED: (HTTPStatus.FORBIDDEN, '"the token does not have the scope for this"'),
    _Response.INVALID_API_KEY: (HTTPStatus.FORBIDDEN, '"the header x-api-key has no valid key"'),
    _Response.MISSING_AUTHENTICATION_TOKEN: (HTTPStatus.NOT_FOUND, '"there is nothing here"'),
    _Response.REQUEST_TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _MESSAGE),
    _Response.UNSUPPORTED_MEDIA_TYPE: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, '"the body is to be application/json"'),
    _Response.THROTTLED: (HTTPStatus.TOO_MANY_REQUESTS, '"more requests than your plan allows; slow down"'),
    _Response.QUOTA_EXCEEDED: (HTTPStatus.TOO_MANY_REQUESTS, '"more requests than your plan allows in a day"'),
    _Response.INTEGRATION_FAILURE: (HTTPStatus.GATEWAY_TIMEOUT, _MESSAGE),
    _Response.INTEGRATION_TIMEOUT: (HTTPStatus.GATEWAY_TIMEOUT, _MESSAGE),
    _Response.DEFAULT_4_XX: (HTTPStatus.BAD_REQUEST, _MESSAGE),
    _Response.DEFAULT_5_XX: (HTTPStatus.INTERNAL_SERVER_ERROR, _MESSAGE),
}


class HttpApi(apigateway.RestApi):
    """The REST API. Orders and cancellations go to `intake`; `query` answers everything else.

    `authorizer` is the function that checks tokens; without one, the gateway checks those of the pool itself.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        identity: Identity,
        authorizer: lambda_.IFunction | None,
        intake: sqs.IQueue,
        query: lambda_.IFunction,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            rest_api_name="OrderPipeline",
            description="Orders, in and out.",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.DESTROY,
            deploy_options=apigateway.StageOptions(
                stage_name=API_STAGE,
                throttling_rate_limit=STAGE_RATE,
                throttling_burst_limit=STAGE_BURST,
                tracing_enabled=True,
                metrics_enabled=True,
                access_log_destination=apigateway.LogGroupLogDestination(
                    logs.LogGroup(scope, "AccessLogs", retention=logs.RetentionDays.ONE_MONTH)
                ),
                access_log_format=apigateway.AccessLogFormat.json_with_standard_fields(
                    caller=False,
                    http_method=True,
                    ip=False,
                    protocol=True,
                    request_time=True,
                    resource_path=True,
                    response_length=True,
                    status=True,
                    user=False,
                ),
            ),
        )
        self._authorizer, self._callers = self._checks(identity, authorizer)
        self._role = iam.Role(scope, "GatewayRole", assumed_by=assumed_by(scope, "apigateway"))
        self._role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[intake.queue_arn]))
        self._validator = self.add_request_validator("Body", validate_request_body=True)
        self._intake = intake
        self._refuse_with_problems()
        self._routes(query)
        self.key = self._plan()
        cloudwatch.Alarm(
            self,
            "Failing",
            alarm_description="The API answers with 5xx.",
            metric=self.metric_server_error(statistic="sum", period=Duration.minutes(1)),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _checks(
        self, identity: Identity, function: lambda_.IFunction | None
    ) -> tuple[apigateway.IAuthorizer, templates.CallerClaims]:
        if function is None:
            pool = apigateway.CognitoUserPoolsAuthorizer(
                self, "PoolAuthorizer", cognito_user_pools=[identity.pool], results_cache_ttl=AUTHORIZER_CACHE
            )
            return pool, templates.POOL_CLAIMS
        checks = apigateway.TokenAuthorizer(
            self, "FunctionAuthorizer", handler=function, results_cache_ttl=AUTHORIZER_CACHE
        )
        return checks, templates.FUNCTION_CLAIMS

    def _routes(self, query: lambda_.IFunction) -> None:
        orders = self.root.add_resource("orders")
        order = orders.add_resource("{order_id}")
        asks = apigateway.LambdaIntegration(query, allow_test_invoke=False, scope_permission_to_method=False)
        for resource in (
            orders,
            order,
            order.add_resource("events"),
            self.root.add_resource("stock").add_resource("{sku}"),
        ):
            self._authorized(resource, "GET", asks, READ)
        for name in ("openapi.json", "docs"):
            self.root.add_resource(name).add_method("GET", asks, authorization_type=apigateway.AuthorizationType.NONE)
        self._accepts(orders, templates.submission(self._callers))
        self._accepts(order.add_resource("cancellation"), templates.cancellation(self._callers))

    def _accepts(self, resource: apigateway.Resource, wanted: templates.IntakeTemplates) -> None:
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
                    apigateway.IntegrationResponse(status_code="202", response_templates={JSON: wanted.answer}),
                    _refused("4[0-9]{2}", HTTPStatus.BAD_REQUEST, wanted.refusal),
                    _refused("5[0-9]{2}", HTTPStatus.SERVICE_UNAVAILABLE, "not accepted: send it again, same key"),
                ],
            ),
        )
        model = self.add_model(wanted.body.__name__, content_type=JSON, schema=apigateway.JsonSchema())
        schema = draft4(wanted.body)
        resource_of(model).add_property_override("Schema", schema)
        self._deployed_with(schema)
        typed = {"method.response.header.Content-Type": True}
        self._authorized(
            resource,
            "POST",
            integration,
            WRITE,
            api_key_required=True,
            request_validator=self._validator,
            request_models={JSON: model},
            method_responses=[
                apigateway.MethodResponse(status_code="202"),
                apigateway.MethodResponse(status_code="400", response_parameters=typed),
                apigateway.MethodResponse(status_code="503", response_parameters=typed),
            ],
        )

    def _deployed_with(self, schema: Mapping[str, Any]) -> None:
        """Deploy again when the schema changes, which CDK does not see: a stage checks by its last deployment."""
        if self.latest_deployment is None:
            raise TypeError("the API is not deployed")
        self.latest_deployment.add_to_logical_id(schema)

    def _authorized(
        self,
        resource: apigateway.Resource,
        method: str,
        integration: apigateway.Integration,
        scope: str,
        **options: Any,
    ) -> None:
        """A method for tokens with `scope`, or an operator's."""
        of_pool = self._callers is templates.POOL_CLAIMS
        resource.add_method(
            method,
            integration,
            authorizer=self._authorizer,
            authorization_scopes=[scope, OPERATE] if of_pool else None,
            **options,
        )

    def _refuse_with_problems(self) -> None:
        for response_type, (status, detail) in _PROBLEMS.items():
            name = response_type.response_type
            template = f'{{"type":"about:blank","title":"{status.phrase}","status":{status},"detail":{detail}}}'
            self.add_gateway_response(
                f"Problem{name}",
                type=response_type,
                status_code=str(status.value),
                response_headers={"Content-Type": f"'{PROBLEM}'"},
                templates={JSON: template},
            )

    def _plan(self) -> apigateway.IApiKey:
        """One plan, and a first key on it."""
        plan = self.add_usage_plan(
            "Plan",
            throttle=apigateway.ThrottleSettings(rate_limit=PLAN_RATE, burst_limit=PLAN_BURST),
            quota=apigateway.QuotaSettings(limit=PLAN_QUOTA, period=apigateway.Period.DAY),
            api_stages=[apigateway.UsagePlanPerApiStage(api=self, stage=self.deployment_stage)],
        )
        key = self.add_api_key("Key")
        plan.add_api_key(key)
        return key


def _refused(pattern: str, status: HTTPStatus, detail: str) -> apigateway.IntegrationResponse:
    """The answer where SQS answers with a status of that pattern."""
    return apigateway.IntegrationResponse(
        status_code=str(status.value),
        selection_pattern=pattern,
        response_parameters={"method.response.header.Content-Type": f"'{PROBLEM}'"},
        response_templates={JSON: problem(status, detail).model_dump_json()},
    )
