"""The audit: what must always hold (the design's invariants 1, 2, 3, 5 and 6), checked on all that a run left behind.

Pure: takes what was read off the pipeline once nothing moves any more, and tells what does not hold. It knows the
contract and the views' fold, and nothing else of the handlers: what they do wrong must show here. The doctor makes use
of its parts on a pipeline that is at work. `table` and `copy` read the evidence.
"""

from handlers.operations.audit import balances, effects, inputs, outcomes, views
from handlers.operations.audit.evidence import Finding
from handlers.operations.audit.run import Run

CHECKS = {
    1: ("views equal the log", views.check),
    2: ("nothing is lost", inputs.check),
    3: ("effects happened once", effects.check),
    5: ("money and stock balance", balances.check),
    6: ("one outcome per order", outcomes.check),
}
"""What each invariant says, in short, and the function that checks it."""


def audit(run: Run) -> list[Finding]:
    """Everything that does not hold."""
    return [finding for _, check in CHECKS.values() for finding in check(run)]
