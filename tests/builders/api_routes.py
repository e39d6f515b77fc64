"""What the HTTP API has: the gateway and the document both."""

QUESTIONS = (
    "/orders",
    "/orders/{order_id}",
    "/orders/{order_id}/events",
    "/orders/{order_id}/cancellation",
    "/stock/{sku}",
)
REQUESTS = ("/orders", "/orders/{order_id}/cancellation")
OPEN = ("/openapi.json", "/docs", "/docs/{file}")
"""For everybody: what there is, not what happened."""

OPERATIONS = {*(("GET", path) for path in QUESTIONS), *(("POST", path) for path in REQUESTS)}
