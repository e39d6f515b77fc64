"""What the gateway answers by itself: problems, each with the headers that answers of the function have too."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from aws_cdk import aws_apigateway as apigateway

from handlers.api.headers import PRIVATE
from handlers.api.problems import CONTENT_TYPE, problem
from infra.constructs.suppressing import suppress

OF_PROBLEM: Mapping[str, str] = {"Content-Type": CONTENT_TYPE, **PRIVATE}
"""The headers of a problem."""

_JSON = "application/json"
_Response = apigateway.ResponseType
# The gateway quotes the one by itself and not the other (developer guide, "$context variables").
_MESSAGE = "$context.error.messageString"
_WHAT_IS_WRONG = '"$context.error.validationErrorString"'
# Status, and detail as the gateway's simple templates have it.
_PROBLEMS: Mapping[apigateway.ResponseType, tuple[HTTPStatus, str]] = {
    _Response.BAD_REQUEST_BODY: (HTTPStatus.BAD_REQUEST, _WHAT_IS_WRONG),
    _Response.BAD_REQUEST_PARAMETERS: (HTTPStatus.BAD_REQUEST, _MESSAGE),
    _Response.UNAUTHORIZED: (HTTPStatus.UNAUTHORIZED, '"the token is missing, or not valid"'),
    _Response.ACCESS_DENIED: (HTTPStatus.FORBIDDEN, '"the token lacks the scope for this, or is of no shop"'),
    _Response.WAF_FILTERED: (
        HTTPStatus.FORBIDDEN,
        '"the firewall refuses this request, or all of an address that asks too often"',
    ),
    _Response.INVALID_API_KEY: (HTTPStatus.FORBIDDEN, '"the header x-api-key has no valid key"'),
    _Response.MISSING_AUTHENTICATION_TOKEN: (HTTPStatus.NOT_FOUND, '"there is nothing here"'),
    _Response.REQUEST_TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _MESSAGE),
    _Response.UNSUPPORTED_MEDIA_TYPE: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, '"the body is to be application/json"'),
    _Response.THROTTLED: (HTTPStatus.TOO_MANY_REQUESTS, '"more requests than are allowed; slow down"'),
    _Response.QUOTA_EXCEEDED: (HTTPStatus.TOO_MANY_REQUESTS, '"more requests than your plan allows in a day"'),
    _Response.INTEGRATION_FAILURE: (HTTPStatus.GATEWAY_TIMEOUT, _MESSAGE),
    _Response.INTEGRATION_TIMEOUT: (HTTPStatus.GATEWAY_TIMEOUT, _MESSAGE),
    _Response.DEFAULT_4_XX: (HTTPStatus.BAD_REQUEST, _MESSAGE),
    _Response.DEFAULT_5_XX: (HTTPStatus.INTERNAL_SERVER_ERROR, _MESSAGE),
}


def refuse_with_problems(api: apigateway.RestApi) -> None:
    """Let whatever `api` refuses by itself be a problem."""
    for response_type, (status, detail) in _PROBLEMS.items():
        name = response_type.response_type
        template = f'{{"type":"about:blank","title":"{status.phrase}","status":{status},"detail":{detail}}}'
        api.add_gateway_response(
            f"Problem{name}",
            type=response_type,
            status_code=str(status.value),
            response_headers=_quoted(OF_PROBLEM),
            templates={_JSON: template},
        )


def refuse_other_methods(resource: apigateway.IResource, allowed: str) -> None:
    """Let methods that `resource` does not have be answered with 405; else the gateway says that nothing is there."""
    status = HTTPStatus.METHOD_NOT_ALLOWED
    headers = {"Allow": allowed, **OF_PROBLEM}
    refused = resource.add_method(
        "ANY",
        apigateway.MockIntegration(
            passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
            request_templates={_JSON: f'{{"statusCode":{status.value}}}'},
            integration_responses=[
                apigateway.IntegrationResponse(
                    status_code=str(status.value),
                    response_parameters=integration_headers(headers),
                    response_templates={_JSON: problem(status, f"allowed here: {allowed}").model_dump_json()},
                )
            ],
        ),
        authorization_type=apigateway.AuthorizationType.NONE,
        method_responses=[method_response(status, headers)],
    )
    suppress_open(refused, "It says which methods there are, and nothing else.")


def suppress_open(method: apigateway.Method, why: str) -> None:
    """Say why a method takes requests without a token."""
    for rule in ("AwsSolutions-APIG4", "AwsSolutions-COG4"):
        suppress(method, rule, why)


def integration_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as the response of an integration sets them."""
    return {f"method.response.header.{name}": value for name, value in _quoted(headers).items()}


def method_response(status: HTTPStatus, headers: Mapping[str, str]) -> apigateway.MethodResponse:
    """That a method may answer with that status and these headers."""
    declared = dict.fromkeys(integration_headers(headers), True)
    return apigateway.MethodResponse(status_code=str(status.value), response_parameters=declared)


def _quoted(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: f"'{value}'" for name, value in headers.items()}
