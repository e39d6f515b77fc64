"""Generated orders through the deployed pipeline: each ends as it is meant to, and what must hold does."""

import pytest

from infra.local.generator import generate
from infra.local.pipeline import pipeline
from infra.local.run import Report, run
from infra.local.submissions import deliveries, distinct

WAIT_SCALE = 0.05


class Watcher:
    def stage(self, what: str) -> None: ...

    def moved(self, progress: object) -> None: ...


@pytest.fixture(scope="module")
def report() -> Report:
    generated = generate(60, 11)
    with pipeline() as deployed:
        deployed.emulator.scale_waits(WAIT_SCALE)
        return run(deployed, generated.submissions, list(deliveries("e2e", generated.stock)), Watcher())


def test_generated_orders_end_as_they_are_meant_to(report: Report) -> None:
    results = report.progress.results
    ended = {each.key: results[each.key].reason or results[each.key].status for each in report.progress.submissions}
    ended |= {key: results[key].status for key in ended if results[key].status in {"REJECTED", "DEAD_LETTER"}}
    assert ended == {each.key: each.expected for each in distinct(report.run.submissions)}


def test_what_must_hold_does(report: Report) -> None:
    assert [str(finding) for finding in report.findings] == []
    assert len(report.latencies) == sum(each.decided is not None for each in report.progress.submissions)
