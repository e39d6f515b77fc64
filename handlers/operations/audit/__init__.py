"""The audit: what must always hold, checked on all that a run left behind.

It checks invariants 1, 2, 3, 5 and 6 of `docs/invariants.md`. Pure: takes what was read from the pipeline once nothing
moves any more, and returns what does not hold. The doctor uses its parts on a pipeline that is at work. `table` and
`copy` read the evidence.

Independent: what the handlers do wrong has to show here, so nothing that is expected is computed by the code under
audit. The fold of the order view (`order_views`), the sums of the counting views (`expected_counts`), validation and
content hash of submissions (`submission`) are its own. What it shares with the pipeline, and why:

- **The contract** (`events`): models, streams' names, event ids. It is what publishers and handlers agree on, so there
  is no second one to compare with; it has its own tests.
- **Reading the table** (`table`): the event store's decoder, which generation is live, which items are a projection's
  and which numbers are in them. This finds what is stored and decides nothing: a counter read wrongly is a difference.
- **The definition of a projection that does not ship**: nobody else knows what it should count. `notes` says so.
"""

from collections.abc import Iterator

from handlers.operations.audit import balances, counters, effects, inputs, outcomes, views
from handlers.operations.audit.evidence import Evidence, Finding
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


def notes(evidence: Evidence) -> Iterator[str]:
    """What a reader of the findings has to know: which comparisons are not independent."""
    for projection in counters.not_independent(evidence):
        yield f"{projection}: its counters were compared with the projection's own definition"
