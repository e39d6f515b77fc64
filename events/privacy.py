"""Privacy: whose personal data was erased. Ids are all that is left, and they name nobody."""

from events.model import CustomerId, DomainEvent, OrderId


class CustomerErased(DomainEvent):
    """Everything personal is erased: of the order that is named, or else of the customer, with all orders until then.

    An order of a guest has no ``customer_id``.
    """

    order_id: OrderId | None = None
    customer_id: CustomerId | None = None
