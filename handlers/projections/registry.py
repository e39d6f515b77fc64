"""The registry of projections. A new one is added here, and as a function in infra/functions.py."""

from collections.abc import Mapping

from handlers.projections.customer_history import CUSTOMER_HISTORY
from handlers.projections.daily_sales import DAILY_SALES
from handlers.projections.engine.projection import Definition
from handlers.projections.order_view import ORDER_VIEW
from handlers.projections.stock_view import STOCK_VIEW

_ALL: tuple[Definition, ...] = (ORDER_VIEW, DAILY_SALES, STOCK_VIEW, CUSTOMER_HISTORY)

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
