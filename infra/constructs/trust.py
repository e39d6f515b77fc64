"""Who may assume a role: a service of AWS, and for this account alone (the confused deputy problem)."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct


def assumed_by(scope: Construct, service: str, *, source: str | None = None) -> iam.ServicePrincipal:
    """The `service`, such as ``lambda``, where it acts for this account, and for `source` if that ARN pattern is given.

    Most services name both. Lambda names the account, but AWS does not document that it names the function. Firehose
    names the account as an external id. API Gateway names nothing: a condition would keep it out; what is left is that
    only principals of this account can pass the role to it.
    """
    account = Stack.of(scope).account
    conditions: dict[str, Any] = {"StringEquals": {"aws:SourceAccount": account}}
    if service == "firehose":
        conditions = {"StringEquals": {"sts:ExternalId": account}}
    elif service == "apigateway":
        conditions = {}
    if source is not None:
        conditions["ArnLike"] = {"aws:SourceArn": source}
    return iam.ServicePrincipal(f"{service}.amazonaws.com", conditions=conditions)
