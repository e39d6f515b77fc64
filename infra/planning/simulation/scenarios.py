"""What happens while orders come in: scenarios, as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """Orders come in at a steady rate, and for a while something is different.

    Attributes:
        about: what happens, in words.
        since, until: from which second to which something is different.
        seconds: for how long orders come in at least; longer, while there is a backlog.
        rush: by how much more orders come meanwhile.
        gateway: which share of the calls that the steady rate brings the payment gateway takes meanwhile. It refuses
            the others at once.
        stopped: the function that takes nothing meanwhile.
    """

    about: str
    since: float = 60.0
    until: float = 120.0
    seconds: float = 240.0
    rush: float = 1.0
    gateway: float | None = None
    stopped: str | None = None

    @property
    def differs(self) -> bool:
        """Whether anything is different at any time."""
        return self.rush != 1 or self.gateway is not None or self.stopped is not None

    def trouble(self, now: float) -> bool:
        """Whether something is different at that second."""
        return self.since <= now < self.until


SCENARIOS: Mapping[str, Scenario] = {
    "steady": Scenario("orders come in at a steady rate"),
    "flash_sale": Scenario("20 times as many orders for a minute", rush=20),
    "throttled_gateway": Scenario("the payment gateway takes half of the calls for a minute", gateway=0.5),
    "stopped_consumer": Scenario("the outbox takes nothing for a minute", stopped="outbox"),
}
