"""Deploy, diff and destroy: thin doors to the CDK command line, with what it does not check."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from infra.app import synthesize
from infra.deployment import cdk
from infra.deployment.account import Account
from infra.deployment.old_versions import KEPT, delete_old_versions
from infra.deployment.refusals import Refused, refuse_another_account, refuse_empty_tables, refuse_protected
from infra.names import application_stack, data_stack
from infra.package import PackageError, build_zips
from infra.settings.environment import InvalidSettings, Settings, file_of, read_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
EnvironmentArgument = Annotated[str, typer.Argument(metavar="ENV", help="The environment: the name of its settings.")]


@dataclass(frozen=True)
class Target:
    """An environment, its settings with their file, and the account that it is in."""

    environment: str
    settings: Settings
    file: Path
    account: Account

    def assembly(self, new: Collection[str] = ()) -> tuple[str, str]:
        """Synthesize it; returns the option that names its folder. `new` are its stacks that are not there yet."""
        folder = cdk.ROOT / "build" / f"cdk.out-{self.environment}"
        synthesize(build_zips("aws"), self.environment, self.settings, folder, new=new)
        return "--app", str(folder)


@app.command()
def bootstrap(environment: EnvironmentArgument) -> None:
    """Prepare the account and region of an environment for deployments by CDK, once."""
    settings = _target(environment).settings
    cdk.run("bootstrap", f"aws://{settings.account}/{settings.region}")


@app.command()
def deploy(environment: EnvironmentArgument) -> None:
    """Deploy an environment: first what holds data, then the application.

    A first deployment is made without protection, so that one that fails can be undone, and is protected after that.
    """
    target = _target(environment)
    stacks = (data_stack(environment), application_stack(environment))
    new = [name for name in stacks if target.account.stack(name) is None]
    if data_stack(environment) in new:
        refuse_empty_tables(environment, target.settings, target.file, target.account.tables())
    _deploy(target, new)
    if new and target.settings.protected:
        _deploy(target)
    for arn in delete_old_versions(target.account.client, application_stack(environment), datetime.now(UTC)):
        print(f"deleted, since it was replaced more than {KEPT.days} days ago: {arn}")


@app.command()
def diff(environment: EnvironmentArgument) -> None:
    """Say what a deployment of an environment would change."""
    target = _target(environment)
    cdk.run("diff", *target.assembly())


@app.command()
def destroy(environment: EnvironmentArgument) -> None:
    """Destroy the application of an environment. What holds data stays, for the next deployment."""
    target = _target(environment)
    name = application_stack(environment)
    found = target.account.stack(name)
    if found is None:
        raise Refused(f"there is no {name} in {target.settings.account} and {target.settings.region}")
    protected = found.get("EnableTerminationProtection", False)
    refuse_protected(environment, target.settings, target.file, protected=protected)
    cdk.run("destroy", *target.assembly(), "--exclusively", name)
    print(f"kept: {data_stack(environment)}, with all that holds data")


def _target(environment: str) -> Target:
    file = file_of(environment)
    settings = read_settings(file)
    account = Account(partial(Session().create_client, region_name=settings.region))
    refuse_another_account(environment, settings, file, account.number)
    return Target(environment, settings, file, account)


def _deploy(target: Target, new: Collection[str] = ()) -> None:
    # Who reviewed `make diff` has seen what it grants; without a terminal there is nobody to ask.
    approval = [] if sys.stdin.isatty() else ["--require-approval", "never"]
    cdk.run("deploy", *target.assembly(new), "--all", *approval)


def main() -> None:
    """Run the command line. What keeps it from deploying is printed in a line."""
    try:
        app()
    except (Refused, InvalidSettings, PackageError, ClientError, BotoCoreError) as problem:
        sys.exit(f"{problem}")
