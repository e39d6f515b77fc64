"""Where the pipeline is: on AWS as profile and region say, or behind one endpoint on this machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.session import Session
from typer import Context

from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.operations.replay import COUNTS_SETTLE_WITHIN_SECONDS
from handlers.operations.sagas import Saga, Sagas
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.engine.known_generations import KnownGenerations
from handlers.queries.counters import CounterQueries
from handlers.queries.orders import OrderQueries
from handlers.queries.stock import StockQueries
from handlers.table.event_store import EventStore
from handlers.vault.vault import Vault
from infra.cli.arguments import checked_of_shop
from infra.cli.command_error import CommandError
from infra.names import EMULATOR_ACCOUNT, EMULATOR_REGION, application_stack, data_stack, environment_of, in_template

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_CONNECT_SECONDS = 3
_READ_SECONDS = 30  # longer than any long poll


@dataclass
class Connection:
    """The way to one deployment. Nothing is asked of AWS before the first call.

    An endpoint on this machine is the emulator's: it gets the emulator's credentials, never somebody's real ones,
    unless a profile says otherwise.
    """

    env: str | None = None
    endpoint: str | None = None
    profile: str | None = None
    region: str | None = None

    def client(self, service: str) -> Any:
        """A client of an AWS service.

        Raises:
            CommandError: there are no credentials.
        """
        region = self.region or (EMULATOR_REGION if self.emulated else None)
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1 if self.emulated else 3},
        )
        return self._session.create_client(service, region_name=region, endpoint_url=self.endpoint, config=config)

    @cached_property
    def store(self) -> EventStore:
        """The log."""
        return EventStore(self.client("dynamodb"), self.outputs["TableName"])

    @cached_property
    def generations(self) -> GenerationStore:
        """The generations of the projections."""
        return GenerationStore(self.store.client, self.outputs["TableName"])

    @cached_property
    def orders(self) -> OrderQueries:
        """Orders, as the API reads them."""
        return OrderQueries(self.store, KnownGenerations(self.generations))

    @cached_property
    def counters(self) -> CounterQueries:
        """The views that count."""
        return CounterQueries(self.store, KnownGenerations(self.generations))

    @cached_property
    def stock(self) -> StockQueries:
        """Stock, as the API reads it."""
        return StockQueries(self.store, self.counters)

    @cached_property
    def vault(self) -> Vault:
        """The persons behind orders."""
        return Vault(self.store.client, self.outputs["VaultTableName"])

    @cached_property
    def dead_letters(self) -> DeadLetterBucket:
        """The dead-letter messages."""
        return DeadLetterBucket(self.client("s3"), self.outputs["DeadLetterBucketName"])

    @cached_property
    def sagas(self) -> Sagas:
        """The sagas' state machines."""
        names = {Saga.ORDER: "StateMachine", Saga.CANCELLATION: "CancellationStateMachine"}
        live, machines = (
            {saga: self.outputs[f"{kind}{name}Arn"] for saga, name in names.items()} for kind in ("Live", "")
        )
        return Sagas(self.client("stepfunctions"), live, machines)

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """What the stacks made, by the names of their outputs: tables, queues, functions, buckets, state machines.

        Raises:
            CommandError: no such environment is deployed in this account and region, or several are and none is named.
        """
        pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
        stacks = {stack["StackName"]: stack.get("Outputs", []) for page in pages for stack in page["Stacks"]}
        environment = self._environment(sorted(filter(None, map(environment_of, stacks))))
        made = [*stacks.get(data_stack(environment), []), *stacks[application_stack(environment)]]
        return {output["OutputKey"]: output["OutputValue"] for output in made}

    def _environment(self, deployed: Sequence[str]) -> str:
        if not deployed:
            raise CommandError("no environment of the pipeline is deployed in this account and region")
        there = f"in this account and region: {', '.join(deployed)}"
        if self.env is None and len(deployed) > 1:
            raise CommandError(f"name an environment with --env; deployed {there}", status=2)
        if self.env is not None and self.env not in deployed:
            raise CommandError(f"there is no environment {self.env}; deployed {there}", status=2)
        return self.env or deployed[0]

    @cached_property
    def shops(self) -> Sequence[str]:
        """The shops in the settings that were deployed."""
        return self.outputs["Shops"].split()

    @cached_property
    def operator(self) -> str:
        """The ARN of who runs the command."""
        arn: str = self.client("sts").get_caller_identity()["Arn"]
        return arn

    def order_id(self, value: str) -> str:
        """An order's id, with its shop, which may be left out where there is one.

        Raises:
            CommandError: it is none.
        """
        return checked_of_shop(value, "order id", lambda: self.shops)

    def customer_id(self, value: str) -> str:
        """A customer's id, likewise."""
        return checked_of_shop(value, "customer id", lambda: self.shops)

    def queue_url(self, function: str) -> str | None:
        """The queue in front of the function with that key; None where it has none."""
        return self.outputs.get(f"{in_template(function)}QueueUrl")

    @property
    def poll_seconds(self) -> float:
        """How long to wait before asking again about something that takes its time."""
        return 0.2 if self.emulated else 3.0

    @property
    def settle_seconds(self) -> float:
        """For how long a count of messages in a queue must not change to be believed."""
        return 0 if self.emulated else COUNTS_SETTLE_WITHIN_SECONDS

    def command(self, *arguments: str) -> str:
        """What to type for another command to the same deployment."""
        options = {"--env": self.env, "--endpoint": self.endpoint, "--profile": self.profile, "--region": self.region}
        given = [part for name, value in options.items() if value for part in (name, value)]
        return shlex.join(["pipeline", *given, *arguments])

    @property
    def emulated(self) -> bool:
        """Whether it is the emulator, and not AWS."""
        return self.profile is None and urlsplit(self.endpoint or "").hostname in _LOOPBACK

    @cached_property
    def _session(self) -> Session:
        session = Session(profile=self.profile)
        if self.emulated:
            session.set_credentials(EMULATOR_ACCOUNT, EMULATOR_ACCOUNT)
        elif session.get_credentials() is None:
            raise CommandError(
                "there are no AWS credentials: log in, name a profile with --profile, "
                "or an endpoint on this machine with --endpoint"
            )
        return session


def of(context: Context) -> Connection:
    """The connection that the options before the command describe."""
    return Connection(**context.find_root().params)
