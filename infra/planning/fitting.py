"""Factors by which a few sums come about, none of them negative: least squares of a handful of numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import fsum, isclose

Numbers = Sequence[float]

_BETTER = 1e-9
"""By how much more factors have to come nearer than fewer do."""
_TELLING = 1e-6
"""How much of a number's square the other numbers must not explain."""


def fitted(rows: Sequence[tuple[Numbers, float]]) -> list[float]:
    """The factors by which each row's numbers come to its sum as nearly as can be.

    Each row counts alike, however large its sum. Where fewer factors do as well, the others are 0.
    """
    wide = len(rows[0][0])
    usual = max(total for _, total in rows) or 1.0
    scaled = [([number / (total or usual) for number in numbers], float(total > 0)) for numbers, total in rows]
    best, least = [0.0] * wide, fsum(total for _, total in scaled)
    for count in range(1, wide + 1):
        for chosen in combinations(range(wide), count):
            found = _least_squares([([row[each] for each in chosen], total) for row, total in scaled])
            if not found or min(found) < 0:
                continue
            factors = [0.0] * wide
            for each, factor in zip(chosen, found, strict=True):
                factors[each] = factor
            error = fsum((_sum(row, factors) - total) ** 2 for row, total in scaled)
            if error < least - _BETTER:
                best, least = factors, error
    return best


def _least_squares(rows: Sequence[tuple[Numbers, float]]) -> list[float]:
    """The factors by which each row comes to its sum as nearly as can be; none, where the rows do not tell.

    By the normal equations, solved by Gaussian elimination.
    """
    wide = range(len(rows[0][0]))
    left = [[fsum(row[one] * row[other] for row, _ in rows) for other in wide] for one in wide]
    right = [fsum(row[one] * total for row, total in rows) for one in wide]
    squares = [left[one][one] for one in wide]
    for one in wide:
        if isclose(left[one][one], 0, abs_tol=_TELLING * squares[one]):
            return []
        for below in wide[one + 1 :]:
            times = left[below][one] / left[one][one]
            left[below] = [low - times * high for low, high in zip(left[below], left[one], strict=True)]
            right[below] -= times * right[one]
    found = [0.0] * len(wide)
    for one in reversed(wide):
        found[one] = (right[one] - _sum(left[one][one + 1 :], found[one + 1 :])) / left[one][one]
    return found


def _sum(numbers: Numbers, factors: Numbers) -> float:
    return fsum(number * factor for number, factor in zip(numbers, factors, strict=True))
