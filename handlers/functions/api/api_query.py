"""The API's questions: orders, their history, and stock."""

from handlers.api.routes import Api
from handlers.functions.doors import parties
from handlers.functions.personal_data import vault
from handlers.functions.resources import event_store
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.engine.known_generations import KnownGenerations
from handlers.queries.counters import CounterQueries
from handlers.queries.orders import OrderQueries
from handlers.queries.stock import StockQueries
from handlers.runtime.observability import observed

store = event_store()
generations = KnownGenerations(GenerationStore(store.client, store.table))
api = Api(OrderQueries(store, generations), StockQueries(store, CounterQueries(store, generations)), vault(), parties())
handler = observed(api.handle)
