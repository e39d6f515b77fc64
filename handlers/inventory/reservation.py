"""A reservation: pure decisions about the stock reserved for an order."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from events.envelope import Recorded
from events.inventory import ReservationRefused, StockLine, StockReleased, StockReserved, StockShipped
from events.ordering import OrderLine

CHUNK = 99
"""SKUs per transaction: DynamoDB takes 100 items, and the event is one."""

Lines = tuple[StockLine, ...]


def chunks(lines: Iterable[OrderLine]) -> list[Lines]:
    """What an order needs, a line per SKU, in chunks; sorted, so that chunks do not depend on the lines' order."""
    needed: Counter[str] = Counter()
    for line in lines:
        needed[line.sku] += line.quantity
    merged = [StockLine(sku=sku, quantity=quantity) for sku, quantity in sorted(needed.items())]
    return [tuple(merged[start : start + CHUNK]) for start in range(0, len(merged), CHUNK)]


@dataclass(slots=True)
class Reservation:
    """Which chunks are reserved, and whether the stream is closed to more. A shipped chunk is no longer reserved."""

    reserved: dict[int, Lines] = field(default_factory=dict)
    closed: bool = False
    version: int = 0


def fold(history: Sequence[Recorded]) -> Reservation:
    """The reservation folded from its stream."""
    reservation = Reservation(version=len(history))
    for record in history:
        match record.event:
            case StockReserved(chunk=chunk, lines=lines):
                reservation.reserved[chunk] = lines
            case StockReleased(chunk=chunk) | StockShipped(chunk=chunk):
                reservation.reserved.pop(chunk, None)
                reservation.closed = True
            case ReservationRefused():
                reservation.closed = True
    return reservation


def next_release(reservation: Reservation, order_id: str) -> StockReleased | None:
    """The next event of a release: a chunk released, or a closing event over nothing, or None if all is done."""
    for chunk, lines in sorted(reservation.reserved.items()):
        return StockReleased(order_id=order_id, chunk=chunk, lines=lines)
    return None if reservation.closed else StockReleased(order_id=order_id, chunk=0)


def shipped(reservation: Reservation, order_id: str) -> list[StockShipped]:
    """The events by which all that is reserved has left the warehouse."""
    return [
        StockShipped(order_id=order_id, chunk=chunk, lines=lines)
        for chunk, lines in sorted(reservation.reserved.items())
    ]
