"""The command that compares an account's quotas with what the pipeline needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from handlers.operations.preflight.quotas import Finding, Verdict, findings
from handlers.operations.preflight.reading import QuotaReader
from infra.cli import connection
from infra.cli.output import err, out, print_line, print_table
from infra.needs import needs
from infra.planning.order import Lane

_UNANSWERED = 3


def preflight(
    context: typer.Context,
    orders_per_second: Annotated[
        float, typer.Option(min=0.01, max=10_000, help="How many orders come in at the peak.")
    ] = 1,
    lane: Annotated[
        Lane, typer.Option(help="The state machine that a placed order starts, as in the settings.")
    ] = "express",
) -> None:
    """Compare the account's quotas with what the pipeline needs.

    It needs no deployment. Each quota that must be raised is named, with the command that asks AWS for it.

    Exits with 1 if a quota must be raised, and with 3 if none must but some could not be asked for. Needs
    servicequotas:GetServiceQuota, servicequotas:GetAWSDefaultServiceQuota, lambda:GetAccountSettings, ses:GetAccount,
    dynamodb:DescribeLimits and dynamodb:ListTables.
    """
    pipeline = connection.of(context)
    needed = list(needs(orders_per_second, lane))
    found = findings(needed, QuotaReader(pipeline.client).read(need.quota for need in needed))
    print_table(out(), ("quota", "needed", "there is", "", "why"), [tuple(_row(each)) for each in found])
    too_little = [each for each in found if each.verdict is Verdict.TOO_LITTLE]
    for each in too_little:
        if not each.answer.note:
            print_line(err(), _increase(each))
    if too_little:
        raise typer.Exit(1)
    if any(each.verdict is Verdict.UNKNOWN for each in found):
        print_line(err(), "what could not be asked for may be too little")
        raise typer.Exit(_UNANSWERED)


def _increase(finding: Finding) -> str:
    quota = finding.need.quota
    which = f"--service-code {quota.service} --quota-code {quota.code}"
    return f"aws service-quotas request-service-quota-increase {which} --desired-value {finding.sufficient}"


def _row(finding: Finding) -> Iterator[str]:
    yield finding.need.quota.name
    yield f"{finding.need.amount:,}"
    yield "?" if finding.answer.amount is None else f"{finding.answer.amount:,.0f}"
    yield finding.verdict
    yield f"{finding.need.why}; {finding.answer.note}" if finding.answer.note else finding.need.why
