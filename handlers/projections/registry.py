"""The registry of projections. One that counts is added to `COUNTING_PROJECTIONS`.

One that does not is added here, and as a function in infra/functions.py.
"""

from collections.abc import Mapping

from handlers.projections.counting_projections import COUNTING_PROJECTIONS
from handlers.projections.engine.projection import Definition
from handlers.projections.order_view import ORDER_VIEW

_ALL: tuple[Definition, ...] = (ORDER_VIEW, *COUNTING_PROJECTIONS)

PROJECTIONS: Mapping[str, Definition] = {each.name: each for each in _ALL}
"""Every projection, by its name."""


class UnknownProjection(Exception):
    """There is no projection of that name; the message says which there are."""


def named(name: str) -> Definition:
    """The projection of that name.

    Raises:
        UnknownProjection: there is none.
    """
    if name not in PROJECTIONS:
        raise UnknownProjection(f"there is no projection {name!r}; there is: {', '.join(sorted(PROJECTIONS))}")
    return PROJECTIONS[name]
