"""The problems of a pipeline as people read them: by kind, and by what repairs them. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from handlers.operations.doctor.problem import Kind, Problem

REPAIRS = ("republish", "resume", "recount", "rebuild")
"""The operations that repair something, in the order in which to run them: events are published before views follow."""

FOR_A_PERSON = ("history",)
"""The operations that show a person what no operation repairs."""


class Group(NamedTuple):
    """The problems of one kind that the same operation repairs, None where none does."""

    kind: Kind
    repaired_by: str | None
    problems: Sequence[Problem]


def grouped(problems: Iterable[Problem]) -> list[Group]:
    """Problems by kind and repair, in the order in which the groups first appear."""
    groups: dict[tuple[Kind, str | None], list[Problem]] = defaultdict(list)
    for problem in problems:
        groups[problem.kind, problem.repair and problem.repair.command].append(problem)
    return [Group(kind, repaired_by, found) for (kind, repaired_by), found in groups.items()]


def arguments(problems: Iterable[Problem]) -> Mapping[str, Sequence[str]]:
    """By operation, its arguments, each once, in the order in which they first appear."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for problem in problems:
        if problem.repair:
            found[problem.repair.command][problem.repair.argument] = None
    return {command: list(given) for command, given in found.items()}
