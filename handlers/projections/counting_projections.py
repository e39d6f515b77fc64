"""The projections that count, all of which one function keeps. A new one is added here."""

from handlers.projections.customer_history import CUSTOMER_HISTORY
from handlers.projections.daily_sales import DAILY_SALES
from handlers.projections.engine.counting import Counting
from handlers.projections.stock_view import STOCK_VIEW

COUNTING_PROJECTIONS: tuple[Counting, ...] = (DAILY_SALES, STOCK_VIEW, CUSTOMER_HISTORY)
