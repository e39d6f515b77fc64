"""The API's questions: orders, their history, and stock."""

from handlers.api.routes import Api
from handlers.functions.resources import event_store
from handlers.queries.orders import Reader
from handlers.runtime.observability import observed

handler = observed(Api(Reader(event_store())).handle)
