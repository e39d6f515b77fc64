"""Shops: the tenants of the pipeline, and the ids of what is theirs.

At its own doors a shop speaks its own ids. Everywhere else the id of an order or an end customer begins with the shop:
``demo.by-hand-2`` is the order ``by-hand-2`` of the shop ``demo``. So no two shops can mean the same order.
"""


def of_shop(shop: str, own_id: str) -> str:
    """The id of what a shop calls ``own_id``."""
    return f"{shop}.{own_id}"


def shop_of(of_shop_id: str) -> str:
    """The shop that an order or an end customer is of."""
    return of_shop_id.partition(".")[0]


def own_id(of_shop_id: str) -> str:
    """What its shop calls an order or an end customer."""
    return of_shop_id.partition(".")[2]
