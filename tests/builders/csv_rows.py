"""CSV files of orders in the columns of the profile `uci`."""

COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
HEADER = ",".join(COLUMNS) + "\n"


def row(
    order_id: str,
    sku: str = "A",
    description: str = "",
    quantity: str = "1",
    price: str = "1",
    customer: str = "17850.0",
) -> str:
    """A line of an order, each field as it is written in the file."""
    return f"{order_id},{sku},{description},{quantity},2010-12-01,{price},{customer},France\n"
