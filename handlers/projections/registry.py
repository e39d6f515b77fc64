"""Every projection, by name. A new projection is added here, and as a function in infra/functions.py."""

from handlers.projections.customer_history import CUSTOMER_HISTORY
from handlers.projections.daily_sales import DAILY_SALES
from handlers.projections.engine.projection import Definition
from handlers.projections.order_view import ORDER_VIEW
from handlers.projections.stock_view import STOCK_VIEW

PROJECTIONS = {each.name: each for each in (ORDER_VIEW, DAILY_SALES, STOCK_VIEW, CUSTOMER_HISTORY)}
"""The projections there are."""


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
