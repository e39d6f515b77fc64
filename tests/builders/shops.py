"""Callers of the HTTP API."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import urllib3

from infra.local.pipeline import Pipeline
from infra.names import API_STAGE

ORDER: Mapping[str, Any] = {
    "currency": "GBP",
    "lines": [{"sku": "TEA-1", "quantity": 2, "unit_price": 450}],
    "shipping_address": {
        "name": "Jo",
        "street": "1 High St",
        "city": "Leeds",
        "postal_code": "LS1",
        "country": "GB",
    },
    "payment_token": "tok_approve",
}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Shop:
    """A caller with a token, on connections that are kept."""

    url: str
    token: str
    _connections: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=16, retries=False))

    @classmethod
    def of(cls, pipeline: Pipeline, client: str, *scopes: str) -> "Shop":
        """The caller that a client of the user pool is, with some of the scopes it may have, or all."""
        return cls(pipeline.api_url, token(pipeline, pipeline.outputs[f"{client}ClientId"], *scopes))

    def headers(self) -> dict[str, str]:
        """What every request of this caller carries."""
        return {"Authorization": f"Bearer {self.token}"}

    def ask(self, method: str, path: str, content: Any = None, **headers: str) -> Answer:
        """One request; header names have an underscore for a hyphen, and an empty value leaves a header out."""
        sent = self.headers()
        if content is not None:
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = content if isinstance(content, bytes | None) else json.dumps(content).encode()
        sent = {name: value for name, value in sent.items() if value}
        answer = self._connections.request(method, self.url + path, body=body, headers=sent)
        return Answer(answer.status, answer.headers, answer.data)


def token(pipeline: Pipeline, client_id: str, *scopes: str) -> str:
    """An access token for a client's credentials."""
    url, pool = f"{pipeline.endpoint}/oauth2/token", pipeline.outputs["UserPoolId"]
    return granted_token(pipeline.client("cognito-idp"), pool, url, client_id, *scopes)


def granted_token(cognito: Any, pool: str, url: str, client_id: str, *scopes: str) -> str:
    """The access token that a user pool grants a client of it at that URL, with some of its scopes, or all."""
    client = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client_id)["UserPoolClient"]
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client["ClientSecret"]}
    if scopes:
        form["scope"] = " ".join(scopes)
    answer = urllib3.request(
        "POST", url, body=urlencode(form), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    granted: str = answer.json()["access_token"]
    return granted


@contextmanager
def on_plan_of_its_own(pipeline: Pipeline, shop: str, limits: Mapping[str, Any]) -> Iterator[None]:
    """For the time of the block a shop's requests count on another plan, with these limits of methods and no others."""
    gateway = pipeline.client("apigateway")
    key = pipeline.outputs[f"{shop.capitalize()}ApiKeyId"]
    [common] = gateway.get_usage_plans()["items"]
    stage = {"apiId": pipeline.outputs["ApiId"], "stage": API_STAGE, "throttle": limits}
    own = gateway.create_usage_plan(name=f"of-{shop}", apiStages=[stage])
    gateway.delete_usage_plan_key(usagePlanId=common["id"], keyId=key)
    gateway.create_usage_plan_key(usagePlanId=own["id"], keyId=key, keyType="API_KEY")
    try:
        yield
    finally:
        gateway.delete_usage_plan(usagePlanId=own["id"])
        gateway.create_usage_plan_key(usagePlanId=common["id"], keyId=key, keyType="API_KEY")
