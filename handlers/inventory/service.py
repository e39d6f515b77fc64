"""Entry point of the saga's inventory service."""

from handlers import saga
from handlers.aws import event_store
from handlers.inventory import stock
from handlers.observability import count

store = event_store()


def _reserve_stock(command: saga.Command) -> None:
    stock.reserve_stock(store, command.order_id)


def _release_stock(command: saga.Command) -> None:
    stock.release_stock(store, command.order_id)
    count("Compensations", step="release_stock")


handler = saga.service({"reserve_stock": _reserve_stock, "release_stock": _release_stock})
