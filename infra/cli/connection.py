"""Where the pipeline is: on AWS as profile and region say, or behind one endpoint on this machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from infra.cli.errors import Failure
from infra.names import EMULATOR_ACCOUNT, EMULATOR_REGION, STACK_NAME, TABLE_NAME

if TYPE_CHECKING:
    from botocore.session import Session
    from typer import Context

    from handlers.queries.orders import Reader
    from handlers.table.event_store import EventStore

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_CONNECT_SECONDS = 3
_READ_SECONDS = 30  # longer than any long poll


@dataclass
class Connection:
    """The way to one deployment. Nothing is asked of AWS before the first call.

    An endpoint on this machine is the emulator's: it gets the emulator's credentials, never somebody's real ones,
    unless a profile says otherwise.
    """

    endpoint: str | None = None
    profile: str | None = None
    region: str | None = None

    def client(self, service: str) -> Any:
        """A client of an AWS service.

        Raises:
            Failure: there are no credentials.
        """
        from botocore.config import Config  # noqa: PLC0415 - half a second that `--help` does not need

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
        from handlers.table.event_store import EventStore  # noqa: PLC0415

        return EventStore(self.client("dynamodb"), TABLE_NAME)

    @cached_property
    def reader(self) -> Reader:
        """Views, levels and history, as the API reads them."""
        from handlers.queries.orders import Reader  # noqa: PLC0415

        return Reader(self.store)

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """What the stack made, by the names of its outputs: queues, functions, buckets, state machines."""
        [stack] = self.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    @property
    def poll_seconds(self) -> float:
        """How long to wait between two looks at something that takes its time."""
        return 0.2 if self.emulated else 3.0

    def command(self, *arguments: str) -> str:
        """What to type for another command to the same deployment."""
        options = {"--endpoint": self.endpoint, "--profile": self.profile, "--region": self.region}
        given = [part for name, value in options.items() if value for part in (name, value)]
        return shlex.join(["pipeline", *given, *arguments])

    @property
    def emulated(self) -> bool:
        """Whether it is the emulator, and not AWS."""
        return self.profile is None and urlsplit(self.endpoint or "").hostname in _LOOPBACK

    @cached_property
    def _session(self) -> Session:
        from botocore.session import Session  # noqa: PLC0415

        session = Session(profile=self.profile)
        if self.emulated:
            session.set_credentials(EMULATOR_ACCOUNT, EMULATOR_ACCOUNT)
        elif session.get_credentials() is None:
            raise Failure(
                "there are no AWS credentials: log in, name a profile with --profile, "
                "or an endpoint on this machine with --endpoint"
            )
        return session


def of(context: Context) -> Connection:
    """The connection that the options before the command say."""
    connection = context.obj
    assert isinstance(connection, Connection)
    return connection
