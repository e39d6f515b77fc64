"""Numbers over time as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bars(values: Sequence[float], *, width: int = 72, height: int = 6) -> list[str]:
    """A bar for each of up to ``width`` stretches of the values, as high as the most in it; the highest line first.

    A value above 0 always shows.
    """
    columns = min(width, len(values))
    most = max(values, default=0.0)
    peaks = [
        max(values[len(values) * column // columns : len(values) * (column + 1) // columns])
        for column in range(columns)
    ]
    eighths = [max(round(8 * height * peak / most), 1) if peak > 0 else 0 for peak in peaks]
    return [
        "".join(_EIGHTHS[min(8, max(0, high - 8 * level))] for high in eighths) for level in reversed(range(height))
    ]
