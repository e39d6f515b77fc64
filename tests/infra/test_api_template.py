"""What the template promises about the HTTP API: what the gateway checks, what it may do, and whose tokens it takes."""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from handlers.api.authorization import plan_key
from handlers.api.requests import CancellationRequest, OrderRequest
from handlers.intake.parties import OPERATORS
from infra import retention
from infra.app import synthesize
from infra.constructs.api import gateway
from infra.constructs.api.json_schema import draft4
from infra.constructs.api.request_templates import (
    FUNCTION_CLAIMS,
    POOL_CLAIMS,
    CallerClaims,
    cancellation,
    submission,
)
from infra.functions import AUTHORIZER
from infra.local.transform import for_emulator
from infra.names import LOCAL_ENVIRONMENT
from infra.package import Built, Package
from infra.settings.api import ApiSettings, IssuerSettings, PlanSettings
from infra.settings.environment import Settings, parsed
from tests.builders.api_routes import OPEN, OPERATIONS
from tests.builders.settings import PLACE
from tests.infra.template import Properties, Template, alarms_on, listed, synthesized, target_of, written

ISSUER = IssuerSettings(
    issuer="https://issuer.example/",
    jwks_url="https://issuer.example/.well-known/jwks.json",
    audience=("shop", "api://orders"),
)

OF_PROBLEM = {
    "Content-Type": "application/problem+json",
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
}
SAID_BY_THE_GATEWAY = {
    "$context.error.messageString": '"Invalid request body"',
    "$context.error.validationErrorString": r"[object has missing required properties ([\"lines\"])]",
}
"""What API Gateway puts into its responses: the developer guide calls the one quoted, and the other a string."""


@pytest.fixture(params=["template", "of_pool"])
def either(request: pytest.FixtureRequest, templates: Mapping[str, Template]) -> Template:
    """The template where a function checks tokens, and where the gateway's own authorizer does."""
    return templates[request.param]


@pytest.fixture(scope="module")
def of_shops(packages: dict[Package, Built], tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template of an environment with two shops."""
    settings = parsed(PLACE + '[shops.acme]\nclients = ["acme-web"]\n[shops.bloom]\nclaims = { org = "bloom" }')
    return synthesized(
        Path(synthesize(packages, LOCAL_ENVIRONMENT, settings, tmp_path_factory.mktemp("cdk.out")).directory)
    )


def resources(template: Template) -> dict[tuple[str, str], Properties]:
    """What the gateway has for each verb and path; `ANY` is for the verbs that a path does not have."""
    resources = template.of_type("AWS::ApiGateway::Resource")

    def path(reference: Any) -> str:
        name = target_of(reference)
        return f"{path(resources[name]['ParentId'])}/{resources[name]['PathPart']}" if name in resources else ""

    return {
        (method["HttpMethod"], path(method["ResourceId"])): method
        for method in template.of_type("AWS::ApiGateway::Method").values()
    }


def methods(template: Template) -> dict[tuple[str, str], Properties]:
    """Every method of the gateway that does something, by verb and path."""
    return {(verb, path): method for (verb, path), method in resources(template).items() if verb != "ANY"}


def posts(template: Template) -> Iterator[tuple[str, Properties]]:
    return ((path, method) for (verb, path), method in methods(template).items() if verb == "POST")


def test_the_gateway_has_the_operations_of_the_document_and_the_document(either: Template) -> None:
    assert methods(either).keys() == OPERATIONS | {("GET", path) for path in OPEN}


# Who may


def test_every_path_answers_other_methods_with_those_it_has(either: Template) -> None:
    paths = {path for _, path in methods(either)}
    assert {path for verb, path in resources(either) if verb == "ANY"} == paths
    for path in paths:
        method = resources(either)[("ANY", path)]
        assert (method["AuthorizationType"], method["Integration"]["Type"]) == ("NONE", "MOCK")
        assert json.loads(method["Integration"]["RequestTemplates"]["application/json"]) == {"statusCode": 405}
        [answer] = method["Integration"]["IntegrationResponses"]
        assert answer["StatusCode"] == "405"
        allowed = ", ".join(sorted(verb for verb, own in methods(either) if own == path))
        assert answer["ResponseParameters"]["method.response.header.Allow"] == f"'{allowed}'"
        assert json.loads(answer["ResponseTemplates"]["application/json"])["status"] == 405


def test_the_gateways_own_authorizer_takes_access_tokens_of_the_pool_with_their_scopes(of_pool: Template) -> None:
    authorizer, checks = of_pool.only("AWS::ApiGateway::Authorizer")
    pool, _ = of_pool.only("AWS::Cognito::UserPool")
    assert checks["Type"] == "COGNITO_USER_POOLS"
    assert [target_of(arn) for arn in checks["ProviderARNs"]] == [pool]
    assert checks["IdentitySource"] == "method.request.header.Authorization"
    assert AUTHORIZER.name not in of_pool.of_type("AWS::Lambda::Function")
    for (verb, path), method in methods(of_pool).items():
        if path in OPEN:
            continue
        assert method["AuthorizationType"] == "COGNITO_USER_POOLS", path
        assert target_of(method["AuthorizerId"]) == authorizer
        # Without a scope named here the gateway would take ID tokens. Operators place no orders.
        own = ["orders/read"] if verb == "GET" else ["orders/write"]
        operators = [] if (verb, path) == ("POST", "/orders") else ["orders/operate"]
        assert method["AuthorizationScopes"] == own + operators, path


def test_our_function_checks_tokens_for_every_method_alike(template: Template) -> None:
    authorizer, checks = template.only("AWS::ApiGateway::Authorizer")
    assert (checks["Type"], checks["IdentitySource"]) == ("TOKEN", "method.request.header.Authorization")
    assert {"Fn::GetAtt": [AUTHORIZER.name, "Arn"]} in checks["AuthorizerUri"]["Fn::Join"][1]
    for (_, path), method in methods(template).items():
        if path not in OPEN:
            assert method["AuthorizationType"] == "CUSTOM", path
            assert target_of(method["AuthorizerId"]) == authorizer
            assert "AuthorizationScopes" not in method


def test_only_the_document_is_for_everybody(either: Template) -> None:
    for (_, path), method in methods(either).items():
        assert (method["AuthorizationType"] == "NONE") == (path in OPEN), path
        assert ("AuthorizerId" in method) == (path not in OPEN), path


def test_a_verdict_about_a_token_is_not_kept_for_long(either: Template) -> None:
    _, checks = either.only("AWS::ApiGateway::Authorizer")
    assert checks["AuthorizerResultTtlInSeconds"] <= 60


def test_the_authorizer_knows_the_pool_and_may_do_nothing_but_log(template: Template) -> None:
    function = template.of_type("AWS::Lambda::Function")[AUTHORIZER.name]
    variables = function["Environment"]["Variables"]
    issuer = f"https://cognito-idp.us-east-1.${{AWS::URLSuffix}}/${{{template.only('AWS::Cognito::UserPool')[0]}}}"
    assert written(variables["JWT_ISSUER"]) == issuer
    assert written(variables["JWT_JWKS_URL"]) == f"{issuer}/.well-known/jwks.json"
    # Whose the pool's clients are, the settings say.
    assert variables["JWT_AUDIENCE"] == "*"
    granted = {action for one in template.statements(template.role_of(AUTHORIZER.name)) for action in one["Action"]}
    assert granted == {
        *("logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords")
    }


def test_functions_are_called_by_this_gateway_alone(either: Template) -> None:
    api, _ = either.only("AWS::ApiGateway::RestApi")
    permissions = [
        permission
        for permission in either.of_type("AWS::Lambda::Permission").values()
        if permission["Principal"] == "apigateway.amazonaws.com"
    ]
    called = sorted(target_of(permission["FunctionName"]) for permission in permissions)
    checks = AUTHORIZER.name in either.of_type("AWS::Lambda::Function")
    assert called == [*([AUTHORIZER.name] if checks else []), "ApiQuery"]
    for permission in permissions:
        assert permission["Action"] == "lambda:InvokeFunction"
        assert {"Ref": api} in permission["SourceArn"]["Fn::Join"][1]


def test_clients_of_the_pool_get_the_scopes_of_their_part(template: Template) -> None:
    [server] = template.of_type("AWS::Cognito::UserPoolResourceServer")
    [scopes] = [each["Scopes"] for each in template.of_type("AWS::Cognito::UserPoolResourceServer").values()]
    assert {scope["ScopeName"] for scope in scopes} == {"read", "write", "operate"}
    granted = {}
    for name, client in template.of_type("AWS::Cognito::UserPoolClient").items():
        assert client["AllowedOAuthFlows"] == ["client_credentials"]
        assert client["GenerateSecret"] is True
        for scope in client["AllowedOAuthScopes"]:
            assert scope["Fn::Join"][1][0] == {"Ref": server}
        granted[name] = [scope["Fn::Join"][1][1] for scope in client["AllowedOAuthScopes"]]
    assert sorted(granted.values(), key=len) == [["/read", "/write"], ["/read", "/write", "/operate"]]


def test_nobody_signs_up_to_the_pool_alone(template: Template) -> None:
    _, pool = template.only("AWS::Cognito::UserPool")
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert pool["DeletionProtection"] == "ACTIVE"


# What the gateway takes


def test_a_request_needs_a_key_and_a_body_that_fits(either: Template) -> None:
    [(validator, checks)] = either.of_type("AWS::ApiGateway::RequestValidator").items()
    assert checks["ValidateRequestBody"] is checks["ValidateRequestParameters"] is True
    models = either.of_type("AWS::ApiGateway::Model")
    bodies: dict[str, type[BaseModel]] = {
        "/orders": OrderRequest,
        "/orders/{order_id}/cancellation": CancellationRequest,
    }
    for path, method in posts(either):
        assert target_of(method["RequestValidatorId"]) == validator
        [(media_type, model)] = method["RequestModels"].items()
        assert media_type == "application/json"
        assert models[target_of(model)]["ContentType"] == "application/json"
        assert models[target_of(model)]["Schema"] == draft4(bodies[path])


def test_what_is_not_json_never_gets_past_the_gateway(either: Template) -> None:
    for path, method in posts(either):
        assert method["Integration"]["PassthroughBehavior"] == "NEVER", path
        assert method["Integration"]["RequestTemplates"].keys() == {"application/json"}


@pytest.mark.parametrize(
    ("which", "claims"),
    [("template", FUNCTION_CLAIMS), ("of_pool", POOL_CLAIMS)],
)
def test_requests_go_on_the_intake_queue_in_the_name_of_who_was_authorized(
    which: str, claims: CallerClaims, templates: Mapping[str, Template]
) -> None:
    template = templates[which]
    role, wanted = (
        gateway_role(template),
        {
            "/orders": submission(claims),
            "/orders/{order_id}/cancellation": cancellation(claims),
        },
    )
    for path, method in posts(template):
        integration = method["Integration"]
        assert (integration["Type"], integration["IntegrationHttpMethod"]) == ("AWS", "POST")
        assert target_of(integration["Credentials"]) == role
        assert [part for part in integration["Uri"]["Fn::Join"][1] if isinstance(part, dict)][-1] == {
            "Fn::GetAtt": ["OrderIntakeQueue", "QueueName"]
        }
        assert integration["RequestTemplates"]["application/json"] == wanted[path].request
        assert integration["RequestParameters"] == {
            "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
        }
        answers = {each["StatusCode"]: each for each in integration["IntegrationResponses"]}
        assert answers["202"]["ResponseTemplates"] == {"application/json": wanted[path].answer}
        assert answers["202"]["SelectionPattern"] == "200"
        assert answers["503"]["ResponseTemplates"] == {"application/json": wanted[path].refusal}
        assert "SelectionPattern" not in answers["503"]
        assert answers.keys() == {each["StatusCode"] for each in method["MethodResponses"]} == {"202", "503"}


def test_the_intake_queue_takes_what_the_document_says_it_takes(either: Template) -> None:
    queue = either.of_type("AWS::SQS::Queue")["OrderIntakeQueue"]
    # SQS's own limit, 1 MiB, as long as the queue sets none.
    assert queue.get("MaximumMessageSize", 1024 * 1024) == 1024 * 1024


def gateway_role(template: Template) -> str:
    [role] = {target_of(method["Integration"]["Credentials"]) for _, method in posts(template)}
    return role


def test_the_gateway_may_send_to_the_intake_queue_and_nothing_else(either: Template) -> None:
    role = gateway_role(either)
    [statement] = either.statements(role)
    assert (statement["Effect"], statement["Action"]) == ("Allow", ["sqs:SendMessage"])
    assert statement["Resource"] == [{"Fn::GetAtt": ["OrderIntakeQueue", "Arn"]}]
    [trust] = either.of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    assert listed(trust["Principal"]["Service"]) == ["apigateway.amazonaws.com"]


def test_questions_go_to_the_function_that_answers_them(either: Template) -> None:
    for (verb, path), method in methods(either).items():
        if verb == "GET":
            assert method["Integration"]["Type"] == "AWS_PROXY", path
            assert {"Fn::GetAtt": ["ApiQuery", "Arn"]} in method["Integration"]["Uri"]["Fn::Join"][1]


# How much


def test_a_key_may_place_ask_and_cancel_at_a_rate_of_its_own_each(either: Template) -> None:
    plan_name, plan = either.only("AWS::ApiGateway::UsagePlan")
    orders, questions = {"RateLimit": 100, "BurstLimit": 200}, {"RateLimit": 200, "BurstLimit": 400}
    # One limit for all that a key does would let questions take the place of orders.
    assert "Throttle" not in plan
    assert plan["Quota"] == {"Limit": 2_000_000, "Period": "DAY"}
    [stage] = plan["ApiStages"]
    assert target_of(stage["Stage"]) == either.only("AWS::ApiGateway::Stage")[0]
    assert stage["Throttle"] == {f"{path}/{verb}": orders if verb == "POST" else questions for verb, path in OPERATIONS}
    for (_, path), method in methods(either).items():
        assert method.get("ApiKeyRequired", False) == (path not in OPEN), path
    on_plan = either.of_type("AWS::ApiGateway::UsagePlanKey").values()
    assert {target_of(each["UsagePlanId"]) for each in on_plan} == {plan_name}
    assert sorted(target_of(each["KeyId"]) for each in on_plan) == sorted(either.of_type("AWS::ApiGateway::ApiKey"))


def keys(template: Template) -> list[str | None]:
    """The values of the API keys, where the template says them."""
    keys = template.of_type("AWS::ApiGateway::ApiKey").values()
    assert all(key["Enabled"] for key in keys)
    return sorted((key.get("Value") for key in keys), key=str)


def test_a_shop_has_the_key_that_our_authorizer_names_and_so_have_operators(
    template: Template, of_shops: Template
) -> None:
    for each, shops in ((template, ["demo"]), (of_shops, ["acme", "bloom"])):
        assert each.only("AWS::ApiGateway::RestApi")[1]["ApiKeySourceType"] == "AUTHORIZER"
        assert keys(each) == sorted(plan_key(LOCAL_ENVIRONMENT, who) for who in (*shops, OPERATORS))
        outputs = {name for name in each.raw["Outputs"] if name.endswith("ApiKeyId")}
        assert outputs == {f"{who.capitalize()}ApiKeyId" for who in (*shops, OPERATORS)}


def test_where_the_gateway_checks_tokens_a_caller_names_the_key_which_is_secret(of_pool: Template) -> None:
    assert of_pool.only("AWS::ApiGateway::RestApi")[1]["ApiKeySourceType"] == "HEADER"
    assert keys(of_pool) == [None, None]


def test_documents_are_compressed_and_have_limits_of_their_own(either: Template) -> None:
    assert either.only("AWS::ApiGateway::RestApi")[1]["MinimumCompressionSize"] == 1024
    _, stage = either.only("AWS::ApiGateway::Stage")
    limited = {each["ResourcePath"]: each for each in stage["MethodSettings"] if each["HttpMethod"] == "GET"}
    assert limited.keys() == {f"/{path.replace('/', '~1')}" for path in OPEN}
    for settings in limited.values():
        assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (5, 10)
        # A method's settings take nothing from those of the stage.
        assert settings["MetricsEnabled"] is True


def test_the_stage_is_throttled_and_traced_without_bodies(either: Template) -> None:
    _, stage = either.only("AWS::ApiGateway::Stage")
    [settings] = [each for each in stage["MethodSettings"] if each["HttpMethod"] == "*"]
    assert settings["ResourcePath"] == "/*"
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (500, 1000)
    assert settings["DataTraceEnabled"] is False
    assert stage["TracingEnabled"] is True


def test_the_gateway_logs_what_fails_without_bodies_for_a_week(either: Template) -> None:
    name, stage = either.only("AWS::ApiGateway::Stage")
    for settings in stage["MethodSettings"]:
        assert (settings["LoggingLevel"], settings["DataTraceEnabled"]) == ("ERROR", False)
    [(group, log)] = [
        (name, each)
        for name, each in either.of_type("AWS::Logs::LogGroup").items()
        if written(each.get("LogGroupName", "")).startswith("API-Gateway-Execution-Logs_")
    ]
    api, _ = either.only("AWS::ApiGateway::RestApi")
    assert written(log["LogGroupName"]) == f"API-Gateway-Execution-Logs_${{{api}}}/v1"
    assert log["RetentionInDays"] == retention.API_ERRORS.days
    # Else the gateway makes it, and keeps it for good.
    assert group in either.raw["Resources"][name]["DependsOn"]


# The firewall


def test_a_firewall_refuses_attacks_and_an_address_that_asks_for_more_than_any_plan_has(everything: Path) -> None:
    made = synthesized(everything)
    acl_name, acl = made.only("AWS::WAFv2::WebACL")
    rules = {rule["Name"]: rule for rule in acl["Rules"]}
    rate = rules.pop("Rate")
    assert rate["Action"] == {"Block": {}}
    assert rate["Statement"]["RateBasedStatement"] == {
        "AggregateKeyType": "IP",
        "EvaluationWindowSec": 60,
        "Limit": 60 * PlanSettings().per_second,
    }
    groups = {name: rule["Statement"]["ManagedRuleGroupStatement"] for name, rule in rules.items()}
    assert groups.keys() == {
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesCommonRuleSet",
    }
    assert all(rule["OverrideAction"] == {"None": {}} for rule in rules.values())
    # Large orders, and programs without a name, are welcome.
    counted = {
        override["Name"]: override["ActionToUse"]
        for group in groups.values()
        for override in group.get("RuleActionOverrides", [])
    }
    assert counted == {"SizeRestrictions_BODY": {"Count": {}}, "NoUserAgent_HEADER": {"Count": {}}}
    # Samples of requests would have their tokens.
    kept = [acl["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in acl["Rules"])]
    assert not any(each["SampledRequestsEnabled"] for each in kept)
    _, association = made.only("AWS::WAFv2::WebACLAssociation")
    assert target_of(association["WebACLArn"]) == acl_name
    api, stage = made.only("AWS::ApiGateway::RestApi")[0], made.only("AWS::ApiGateway::Stage")[0]
    assert written(association["ResourceArn"]).endswith(f"::/restapis/${{{api}}}/stages/${{{stage}}}")


def test_the_environment_that_ships_has_none_for_what_it_costs(template: Template, settings: Settings) -> None:
    assert template.of_type("AWS::WAFv2::WebACL") == {}
    assert (settings.api.firewall, ApiSettings().firewall) == (False, True)


@pytest.mark.parametrize(
    ("which", "subject"),
    [("template", "$context.authorizer.subject"), ("of_pool", "$context.authorizer.claims.sub")],
)
def test_the_access_log_has_who_asked_what_and_how_fast_it_was_answered_and_nothing_secret(
    which: str, subject: str, templates: Mapping[str, Template]
) -> None:
    template = templates[which]
    _, stage = template.only("AWS::ApiGateway::Stage")
    log_group = template.of_type("AWS::Logs::LogGroup")[target_of(stage["AccessLogSetting"]["DestinationArn"])]
    assert log_group["RetentionInDays"] == 30
    # No token, and no address; the path as the gateway has it, with no ids in it.
    assert json.loads(stage["AccessLogSetting"]["Format"]) == {
        "requestId": "$context.requestId",
        "requestTime": "$context.requestTime",
        "subject": subject,
        "httpMethod": "$context.httpMethod",
        "resourcePath": "$context.resourcePath",
        "protocol": "$context.protocol",
        "status": "$context.status",
        "responseLatency": "$context.responseLatency",
        "responseLength": "$context.responseLength",
    }


def test_every_answer_says_what_may_be_done_with_it(either: Template) -> None:
    said = {f"method.response.header.{name}": f"'{value}'" for name, value in OF_PROBLEM.items()}
    kind = "method.response.header.Content-Type"
    for (verb, path), method in resources(either).items():
        for answer in method["Integration"].get("IntegrationResponses", ()):
            taken = answer["StatusCode"] == "202"
            wanted = {name: value for name, value in said.items() if name != kind} if taken else said
            assert answer["ResponseParameters"].items() >= wanted.items(), (verb, path)
            declared = {each["StatusCode"]: each for each in method["MethodResponses"]}[answer["StatusCode"]]
            assert declared["ResponseParameters"] == dict.fromkeys(answer["ResponseParameters"], True)


def test_an_alarm_reports_our_own_errors(either: Template) -> None:
    all_of_them, of_orders = sorted(alarms_on(either, "5XXError"), key=lambda alarm: len(alarm["Dimensions"]))
    assert all_of_them["Dimensions"] == [{"Name": "ApiName", "Value": "OrderPipeline-dev"}]
    dimensions = {each["Name"]: each["Value"] for each in of_orders["Dimensions"]}
    stage, _ = either.only("AWS::ApiGateway::Stage")
    assert dimensions.pop("Stage") == {"Ref": stage}
    assert dimensions == {"ApiName": "OrderPipeline-dev", "Method": "POST", "Resource": "/orders"}
    assert (of_orders["Statistic"], of_orders["Threshold"]) == ("Average", 0.5)


def test_whatever_the_gateway_refuses_is_a_problem(either: Template) -> None:
    statuses = {}
    for response in either.of_type("AWS::ApiGateway::GatewayResponse").values():
        assert response["ResponseParameters"] == {
            f"gatewayresponse.header.{name}": f"'{value}'" for name, value in OF_PROBLEM.items()
        }
        text = response["ResponseTemplates"]["application/json"]
        for variable, rendered in SAID_BY_THE_GATEWAY.items():
            text = text.replace(variable, rendered)
        assert "$" not in text
        problem = json.loads(text)
        assert problem.keys() == {"type", "title", "status", "detail"}
        assert response.get("StatusCode", str(problem["status"])) == str(problem["status"])
        statuses[response["ResponseType"]] = problem["status"]
    assert statuses == {
        **dict.fromkeys(["BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS", "DEFAULT_4XX"], 400),
        **dict.fromkeys(["ACCESS_DENIED", "INVALID_API_KEY", "WAF_FILTERED"], 403),
        **dict.fromkeys(["THROTTLED", "QUOTA_EXCEEDED"], 429),
        "UNAUTHORIZED": 401,
        "MISSING_AUTHENTICATION_TOKEN": 404,
        "REQUEST_TOO_LARGE": 413,
        "UNSUPPORTED_MEDIA_TYPE": 415,
        "DEFAULT_5XX": 500,
        **dict.fromkeys(["INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT"], 504),
    }


# Other issuers


def test_another_issuers_tokens_are_checked_and_another_schema_is_deployed(
    template: Template,
    packages: dict[Package, Built],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway, "draft4", lambda model: draft4(model) | {"maxProperties": 99})
    api = settings.api.model_copy(update={"issuer": ISSUER})
    theirs = synthesized(
        Path(synthesize(packages, LOCAL_ENVIRONMENT, settings.model_copy(update={"api": api}), tmp_path).directory)
    )

    variables = theirs.of_type("AWS::Lambda::Function")[AUTHORIZER.name]["Environment"]["Variables"]
    assert {name: value for name, value in variables.items() if name.startswith("JWT_")} == {
        "JWT_ISSUER": ISSUER.issuer,
        "JWT_JWKS_URL": ISSUER.jwks_url,
        "JWT_AUDIENCE": " ".join(ISSUER.audience),
    }
    assert theirs.only("AWS::ApiGateway::Authorizer") == template.only("AWS::ApiGateway::Authorizer")
    # The stage goes on checking by the old schema unless there is a new deployment.
    assert theirs.only("AWS::ApiGateway::Deployment")[0] != template.only("AWS::ApiGateway::Deployment")[0]


# On one machine


def test_on_one_machine_the_keys_of_another_issuer_are_where_it_says(template: Template) -> None:
    other = copy.deepcopy(template.raw)
    other["Resources"][AUTHORIZER.name]["Properties"]["Environment"]["Variables"]["JWT_JWKS_URL"] = ISSUER.jwks_url
    local = Template(for_emulator(other, "stack", "deployment", "http://127.0.0.1:4566"))
    made = local.of_type("AWS::Lambda::Function")[AUTHORIZER.name]["Environment"]["Variables"]
    assert made["JWT_JWKS_URL"] == ISSUER.jwks_url


def test_on_one_machine_the_pools_keys_are_at_the_emulator_and_the_issuer_is_the_same(template: Template) -> None:
    local = Template(for_emulator(template.raw, "stack", "deployment", "http://127.0.0.1:4566"))
    was, made = (one.of_type("AWS::Lambda::Function")[AUTHORIZER.name]["Environment"] for one in (template, local))
    pool = {"Ref": template.only("AWS::Cognito::UserPool")[0]}
    keys = {"Fn::Join": ["", ["http://127.0.0.1:4566/", pool, "/.well-known/jwks.json"]]}
    assert made["Variables"] == was["Variables"] | {"JWT_JWKS_URL": keys}
    assert was["Variables"]["JWT_JWKS_URL"] != keys
    for response in local.of_type("AWS::ApiGateway::GatewayResponse").values():
        assert "validationErrorString" not in response["ResponseTemplates"]["application/json"]


def test_on_one_machine_documents_have_their_limits_under_their_paths(template: Template) -> None:
    local = Template(for_emulator(template.raw, "stack", "deployment", "http://127.0.0.1:4566"))
    _, stage = local.only("AWS::ApiGateway::Stage")
    assert {settings["ResourcePath"] for settings in stage["MethodSettings"]} == {"/*", *OPEN}
