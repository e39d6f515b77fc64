"""Who may do what: keys of the table, roles of what is no function, scopes of tokens, and recursion."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from handlers.intake.callers import OPERATE, READ, WRITE
from handlers.table import keys
from handlers.table.codec import encode
from infra.function_spec import SCAN, FunctionSpec, Rows, VaultItems
from tests.acceptance import orders
from tests.acceptance.check import Evidence, Wrong
from tests.acceptance.environment import SPECS, Environment
from tests.acceptance.restoring import stand_in
from tests.acceptance.watch import Watch
from tests.builders.shops import Answer

_FUNCTION, OWN_KEY, FOREIGN_KEY = "shipment_intake", "shipment#acceptance", "payment#acceptance"
"""A function that may query and put some keys, one of them, and one of another's."""

_BETWEEN_SIMULATIONS = 0.1  # seconds: IAM answers few requests at once


class Question(NamedTuple):
    """Whether a function may do something on a part of a table: on items of these partition keys, and how."""

    actions: tuple[str, ...]
    part: str
    keys: tuple[str, ...]
    context: Mapping[str, Sequence[str]]
    allowed: bool


def table_keys(environment: Environment, watch: Watch) -> Evidence:
    """Ask IAM, for each function: its own keys are allowed, those of others and requests without a key are denied."""
    iam = environment.client("iam")
    parts = {"": _table_arn(environment, "TableName"), "vault": _table_arn(environment, "VaultTableName")}
    asked = {True: 0, False: 0}
    wrong = []
    for spec in SPECS.values():
        name = environment.outputs.get(f"{spec.name}FunctionName")
        if name is None:  # the gateway has an authorizer of its own
            continue
        role = environment.client("lambda").get_function_configuration(FunctionName=name)["Role"]
        for question in questions(spec):
            arn = parts.get(question.part) or f"{parts['']}/index/{question.part}"
            for action, decision in _simulated(iam, role, arn, question):
                asked[question.allowed] += 1
                if (decision == "allowed") != question.allowed:
                    named = ", ".join(question.keys) or "no key"
                    wrong.append(f"{spec.key}: {action} on {named} of {arn.rpartition(':')[2]} is {decision}")
            watch.pause(_BETWEEN_SIMULATIONS, "all grants simulated")
    if wrong:
        raise Wrong("; ".join(wrong))
    return {"functions": len(SPECS), "requests allowed": asked[True], "requests denied": asked[False]}


def questions(spec: FunctionSpec) -> Iterator[Question]:
    """What to ask of a function's role: what it is granted on table and vault; the same on others' keys and on none."""
    granted: dict[tuple[str, str], list[str]] = {}
    for grant in spec.grants:
        if isinstance(grant, Rows | VaultItems):
            patterns = grant.keys if isinstance(grant, Rows) else (grant.keys,)
            part = (grant.index or "") if isinstance(grant, Rows) else "vault"
            yield Question(grant.actions, part, tuple(map(_sample, patterns)), _context(grant), allowed=True)
            for action in set(grant.actions) - {SCAN}:
                granted.setdefault((action, part), []).extend(patterns)
    for (action, part), own in granted.items():
        yield Question((action,), part, (_foreign(own),), {}, allowed=False)
        yield Question((action,), part, (), {}, allowed=False)


def _sample(pattern: str) -> str:
    return pattern.replace("*", "x")


def _foreign(patterns: Sequence[str]) -> str:
    """A key that none of the patterns fits: of another function if there is one."""
    others = (
        _sample(key) for spec in SPECS.values() for each in spec.grants if isinstance(each, Rows) for key in each.keys
    )
    return next((key for key in others if not any(fnmatchcase(key, each) for each in patterns)), "nobody's")


def _context(grant: Rows | VaultItems) -> Mapping[str, Sequence[str]]:
    if isinstance(grant, Rows):
        return {}
    if grant.attributes is None:
        return {"dynamodb:ReturnValues": ["NONE"]}
    return {"dynamodb:Attributes": ["PK", "SK", *grant.attributes], "dynamodb:Select": ["SPECIFIC_ATTRIBUTES"]}


def _simulated(iam: Any, role: str, arn: str, question: Question) -> Iterator[tuple[str, str]]:
    """What IAM decides for each action."""
    context = dict(question.context)
    if question.keys:
        context["dynamodb:LeadingKeys"] = question.keys
    lists = {"dynamodb:LeadingKeys", "dynamodb:Attributes"}
    answer = iam.simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=list(question.actions),
        ResourceArns=[arn],
        ContextEntries=[
            {
                "ContextKeyName": name,
                "ContextKeyValues": list(values),
                "ContextKeyType": "stringList" if name in lists else "string",
            }
            for name, values in context.items()
        ],
    )
    for each in answer["EvaluationResults"]:
        yield each["EvalActionName"], each["EvalDecision"]


def denied_requests(environment: Environment, watch: Watch) -> Evidence:
    """Ask the table for items with the rights of a function: of its own keys, of others', and of none."""
    name, table = environment.function_name(_FUNCTION), environment.outputs["TableName"]
    role = environment.client("lambda").get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2]
    account = environment.client("sts").get_caller_identity()["Account"]
    with stand_in(environment.client("iam"), role, account, orders.new_id()) as arn:

        def as_function() -> Any:
            with contextlib.suppress(ClientError):  # IAM is not done with the role yet
                client = environment.assuming(arn, "dynamodb")
                _query(client, table, OWN_KEY)
                return client
            return None

        client = watch.until(as_function, f"{OWN_KEY} allowed")
        requests = {
            f"Query of {FOREIGN_KEY}": lambda: _query(client, table, FOREIGN_KEY),
            f"GetItem of {OWN_KEY}": lambda: client.get_item(TableName=table, Key=keys.Key(OWN_KEY, "x").attributes),
            "Scan": lambda: client.scan(TableName=table, Limit=1),
        }
        answers = {what: _code(request) for what, request in requests.items()}
    if wrong := [f"{what}: {code}" for what, code in answers.items() if code != "AccessDeniedException"]:
        raise Wrong(f"with the rights of {_FUNCTION}, {'; '.join(wrong)}")
    return {"role of": _FUNCTION, f"Query of {OWN_KEY}": "allowed", **answers}


def _query(client: Any, table: str, key: str) -> None:
    client.query(TableName=table, KeyConditionExpression="PK = :key", ExpressionAttributeValues=encode({":key": key}))


def _code(request: Callable[[], object]) -> str:
    """What a request is answered with."""
    try:
        request()
    except ClientError as refused:
        code: str = refused.response["Error"]["Code"]
        return code
    return "allowed"


def _table_arn(environment: Environment, output: str) -> str:
    arn: str = environment.client("dynamodb").describe_table(TableName=environment.outputs[output])["Table"]["TableArn"]
    return arn


def doors(environment: Environment, watch: Watch) -> Evidence:
    """Place an order by each door: rules, queues, gateway and sagas do their part by their own roles."""
    placed = {
        "by bus": orders.by_bus(environment),
        "over HTTP": orders.by_http(environment, environment.caller("Shop")),
        "by file": orders.by_file(environment),
    }
    for order_id in placed.values():
        orders.confirmed(environment, watch, order_id)
    return {f"confirmed {door}": order_id for door, order_id in placed.items()}


def scopes(environment: Environment, _watch: Watch) -> Evidence:
    """Ask with tokens of each scope alone, and with none."""
    reader, writer = environment.caller("Shop", READ), environment.caller("Shop", WRITE)
    operator = environment.caller("Operations", OPERATE)
    answers = {
        f"{READ} reads": (reader.ask("GET", "/orders"), 200),
        f"{READ} places": (reader.ask("POST", "/orders", orders.CONTENT), 403),
        f"{WRITE} places": (writer.ask("POST", "/orders", orders.CONTENT, Idempotency_Key=orders.new_id()), 202),
        f"{WRITE} reads": (writer.ask("GET", "/orders"), 403),
        f"{OPERATE} places": (operator.ask("POST", "/orders", orders.CONTENT), 403),
        "no token reads": (reader.ask("GET", "/orders", Authorization=""), 401),
        "a wrong token reads": (reader.ask("GET", "/orders", Authorization="Bearer a.b.c"), 401),
    }
    wrong = [
        f"{what}: {answer.status} instead of {expected}"
        for what, (answer, expected) in answers.items()
        if answer.status != expected
    ]
    if wrong:
        raise Wrong("; ".join(wrong))
    return {what: answer.status for what, (answer, _) in answers.items()}


def refused_body(environment: Environment, _watch: Watch) -> Evidence:
    """Send bodies with a field that is missing, or wrong: the problem names it, and its quotes are right."""
    shop = environment.caller("Shop", WRITE)
    lines = [{**orders.CONTENT["lines"][0], "quantity": "two"}]
    without = {name: value for name, value in orders.CONTENT.items() if name != "payment_token"}
    bodies = {"payment_token": without, "quantity": {**orders.CONTENT, "lines": lines}}
    return {name: _told(shop.ask("POST", "/orders", body), name) for name, body in bodies.items()}


def _told(answer: Answer, field: str) -> str:
    """What a caller is told is wrong with the field."""
    text = answer.body.decode()
    if answer.status != 400:
        raise Wrong(f"a wrong {field} was answered with {answer.status}: {text}")
    try:
        detail = json.loads(text)["detail"]
    except (ValueError, KeyError) as unreadable:
        raise Wrong(f"a wrong {field} was answered with what is no problem: {text}") from unreadable
    if not isinstance(detail, str) or field not in detail or "\\" in detail or detail.startswith('"'):
        raise Wrong(f"a wrong {field} was explained by {detail!r}")
    return detail


def recursion(environment: Environment, _watch: Watch) -> Evidence:
    """Ask Lambda which functions it lets send messages to themselves: file import goes on with a file by one."""
    client = environment.client("lambda")
    loops = {
        key: client.get_function_recursion_config(FunctionName=environment.function_name(key))["RecursiveLoop"]
        for key, spec in SPECS.items()
        if f"{spec.name}FunctionName" in environment.outputs
    }
    allowed = sorted(key for key, loop in loops.items() if loop == "Allow")
    if allowed != ["file_import"]:
        raise Wrong(f"allowed to call themselves: {', '.join(allowed) or 'none'}, and not file_import alone")
    return {"allowed": "file_import", "stopped by Lambda": len(loops) - 1}
