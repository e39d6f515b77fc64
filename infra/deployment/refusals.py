"""Why a deployment is refused before it changes anything. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.names import data_stack
from infra.settings.environment import Settings

TABLES = ("Orders", "Vault")
"""The ids of the tables in the template of the data, which CloudFormation makes their names from."""


class Refused(Exception):
    """It is not deployed or destroyed; the message says why, and what to do."""


def refuse_another_account(environment: str, settings: Settings, file: Path, account: str) -> None:
    """Raises Refused unless the credentials are for the account that the settings name."""
    if account != settings.account:
        raise Refused(
            f"{environment} is in the account {settings.account} ({file}), and these credentials are for {account}"
        )


def refuse_empty_tables(environment: str, settings: Settings, file: Path, tables: Iterable[str]) -> None:
    """Raises Refused where a first deployment would make a table beside one that an earlier deployment left.

    `tables` are the names of all there are in the account and region.
    """
    stack = data_stack(environment)
    adopted: Mapping[str, object] = {"Orders": settings.adopt.orders, "Vault": settings.adopt.vault}
    there = sorted(tables)
    kept = {
        made: left
        for table in TABLES
        if not adopted[table]
        for made in [f"{stack}-{table}-"]
        if (left := [name for name in there if name.startswith(made)])
    }
    if kept:
        raise Refused(
            "; ".join(
                f"a new table {made}… would be empty, beside {', '.join(left)} of an earlier deployment"
                for made, left in kept.items()
            )
            + f". To use what is there, name it under [adopt] in {file}; to begin anew, delete it first"
        )


def refuse_protected(environment: str, settings: Settings, file: Path, *, protected: bool) -> None:
    """Raises Refused where an environment is protected: by its settings, or by those that were deployed."""
    if settings.protected or protected:
        first = "" if not settings.protected else f"set protected = false in {file}, then "
        raise Refused(f"{environment} is protected: {first}make deploy ENV={environment}, and destroy it after that")
