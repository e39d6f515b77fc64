"""The stock watch: a stock level that falls low is recorded once."""

from handlers.functions.resources import event_store
from handlers.inventory.low_stock import watch
from handlers.runtime.observability import observed

store = event_store("subscriber")
handler = observed(lambda event, _context: watch(store, event["Records"]))
