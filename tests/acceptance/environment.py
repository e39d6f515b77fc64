"""The environment that is checked: how to reach it, and in whose name orders come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from botocore.session import Session

from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.intake.parties import ANY
from handlers.queries.orders import OrderQueries
from handlers.table.event_store import EventStore
from infra.cli.connection import Connection
from infra.deployment.refusals import Refused, refuse_another_account
from infra.functions import AUTHORIZER, FUNCTIONS
from infra.local.pipeline import Pipeline
from infra.names import API_STAGE, LOCAL_ENVIRONMENT, application_stack, in_template
from infra.settings.environment import Settings, file_of, read_settings
from tests.builders.shops import Shop, granted_token

_PRODUCTION = "production"
_OURS = "acceptance"

SPECS = {spec.key: spec for spec in (*FUNCTIONS, AUTHORIZER)}
"""Every function by its key."""


@dataclass
class Environment:
    """An environment, on AWS or on this machine. Threads may share it.

    ``here``: whether it is on this machine.
    """

    name: str
    settings: Settings
    connection: Connection
    api_url: str
    token_url: str
    here: bool
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def on_aws(cls, name: str) -> Environment:
        """The environment of that name, in the account and region of its settings.

        Raises:
            Refused: it is production, or the credentials are for another account.
            InvalidSettings, CommandError: it has no settings, or is not deployed.
        """
        if name == _PRODUCTION:
            raise Refused("this breaks things for a moment, and places orders: it is not for production")
        file = file_of(name)
        settings = read_settings(file)
        connection = Connection(env=name, region=settings.region)
        refuse_another_account(name, settings, file, connection.client("sts").get_caller_identity()["Account"])
        outputs = connection.outputs
        return cls(name, settings, connection, outputs["ApiUrl"].rstrip("/"), outputs["TokenUrl"], here=False)

    @classmethod
    def of(cls, pipeline: Pipeline) -> Environment:
        """The environment that runs on this machine."""
        return cls.behind(pipeline.endpoint)

    @classmethod
    def behind(cls, endpoint: str) -> Environment:
        """The environment that runs on this machine, behind the URL of its emulator."""
        settings = read_settings(file_of(LOCAL_ENVIRONMENT))
        connection = Connection(env=LOCAL_ENVIRONMENT, endpoint=endpoint)
        return cls(
            LOCAL_ENVIRONMENT, settings, connection, f"{endpoint}/{API_STAGE}", f"{endpoint}/oauth2/token", here=True
        )

    def client(self, service: str) -> Any:
        """A client of an AWS service, the same each time."""
        with self._lock:  # making clients is not for several threads at once; using them is
            if service not in self._clients:
                self._clients[service] = self.connection.client(service)
            return self._clients[service]

    def assuming(self, role: str, service: str) -> Any:
        """A client of an AWS service with the rights of a role."""
        granted = self.client("sts").assume_role(RoleArn=role, RoleSessionName=_OURS)["Credentials"]
        return Session().create_client(
            service,
            region_name=self.settings.region,
            endpoint_url=self.connection.endpoint,
            aws_access_key_id=granted["AccessKeyId"],
            aws_secret_access_key=granted["SecretAccessKey"],
            aws_session_token=granted["SessionToken"],
        )

    @property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of its stacks."""
        with self._lock:
            return self.connection.outputs

    @property
    def orders(self) -> OrderQueries:
        """Orders, as their views show them."""
        with self._lock:
            return self.connection.orders

    @property
    def store(self) -> EventStore:
        """The log."""
        with self._lock:
            return self.connection.store

    @property
    def dead_letters(self) -> DeadLetterBucket:
        """The dead-letter messages."""
        with self._lock:
            return self.connection.dead_letters

    def function_name(self, key: str) -> str:
        """The name of the function with that key."""
        return self.outputs[f"{in_template(key)}FunctionName"]

    def queue_url(self, key: str) -> str:
        """The queue in front of that function."""
        return self.outputs[f"{in_template(key)}QueueUrl"]

    def caller(self, client: str, *scopes: str) -> Shop:
        """The caller of the API that a client of the user pool is, ``Shop`` or ``Operations``, with some scopes."""
        client_id = self.outputs[f"{client}ClientId"]
        pool = self.outputs["UserPoolId"]
        token = granted_token(self.client("cognito-idp"), pool, self.token_url, client_id, *scopes)
        return Shop(self.api_url, token)

    @property
    def shop(self) -> str:
        """The shop in whose name orders come in: the first in the settings."""
        return next(iter(self.settings.shops))

    @property
    def shop_source(self) -> str:
        """The EventBridge source of its events.

        Raises:
            LookupError: it has none.
        """
        sources = self.settings.shops[self.shop].sources
        if not sources:
            raise LookupError(f"the shop {self.shop} has no EventBridge source in the settings")
        return _OURS if ANY in sources else sources[0]

    @property
    def warehouse_source(self) -> str:
        """The EventBridge source of a warehouse.

        Raises:
            LookupError: there is none.
        """
        named = [each.source for each in self.settings.partners.values() if each.role == "warehouse"]
        if any(ANY in shop.sources for shop in self.settings.shops.values()):
            named.append(_OURS)
        if not named:
            raise LookupError("there is no warehouse in the settings")
        return named[0]

    @property
    def shop_folder(self) -> str:
        """The folder of the shop's files, below ``incoming/``."""
        return self.settings.shops[self.shop].folder or self.shop

    @property
    def stack(self) -> str:
        """The stack of its application; the names of its alarms begin with it."""
        return application_stack(self.name)
