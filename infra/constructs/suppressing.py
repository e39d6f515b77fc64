"""Findings of cdk-nag that are right as they are: suppressed beside their resource, each with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from constructs import IConstruct

_SUPPRESSED = "suppressed"


@dataclass(frozen=True)
class Suppression:
    """Of what `rule` finds at the path `construct` or below, whatever has that `ending`: it is right, and `why`."""

    construct: str
    rule: str
    ending: str
    why: str


def suppress(construct: IConstruct, rule: str, why: str, *, ending: str = "") -> None:
    """Say why what a rule of cdk-nag finds in a construct, or in what that is made of, is right as it is.

    A rule that finds several things at a resource names each in brackets: `ending` is how the one ends that is right.
    """
    construct.node.add_metadata(_SUPPRESSED, {"rule": rule, "ending": ending, "why": why})


def suppressions(scope: IConstruct) -> Iterator[Suppression]:
    """All that are suppressed in `scope`, and below."""
    for construct in scope.node.find_all():
        for entry in construct.node.metadata:
            if entry.type == _SUPPRESSED:
                yield Suppression(construct.node.path, **entry.data)
