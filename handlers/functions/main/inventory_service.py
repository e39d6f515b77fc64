"""The sagas' inventory service."""

from handlers.functions.resources import event_store
from handlers.inventory.stock_steps import release_stock, reserve_stock
from handlers.runtime.saga_service import service

store = event_store("saga")
handler = service(
    {"reserve_stock": lambda command: reserve_stock(store, command.order_id)},
    compensations={"release_stock": lambda command: release_stock(store, command.order_id)},
)
