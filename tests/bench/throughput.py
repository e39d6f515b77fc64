"""How many orders a second go through the pipeline on this machine, and how long one takes meanwhile."""

from infra.local.pipeline import Pipeline
from infra.local.runner.generator import generate
from infra.local.runner.order_run import Report, percentile, run
from infra.local.runner.run_progress import Progress
from infra.local.runner.stock_deliveries import stock_deliveries

ORDERS, SEED = 300, 1
WAIT_SCALE = 0.05
_WARM_UP = 100


class _Silent:
    """A listener that displays nothing."""

    def stage_started(self, stage: str) -> None:
        """Nothing is shown."""

    def progressed(self, progress: Progress) -> None:
        """Nothing is shown."""


def measure(pipeline: Pipeline) -> dict[str, float]:
    """``orders_per_s`` and ``latency_ms.*`` of 300 generated orders, published as orders before them end.

    Other orders go before, so that the functions' processes are up. A latency is the time from publishing an order to
    the event that ends it.
    """
    pipeline.emulator.scale_waits(WAIT_SCALE)
    _run(pipeline, _WARM_UP, seed=2)
    report = _run(pipeline, ORDERS, seed=SEED)
    latencies = {f"latency_ms.p{share}": 1000 * percentile(report.latencies, share / 100) for share in (50, 95, 99)}
    return {"orders_per_s": report.orders_per_second, **latencies}


def _run(pipeline: Pipeline, count: int, *, seed: int) -> Report:
    generated = generate(count, seed)
    stock = list(stock_deliveries(f"bench-{seed}", generated.stock))
    report = run(pipeline, generated.submissions, stock, _Silent())
    if report.progress.open:
        raise RuntimeError(f"{len(report.progress.open)} of {count} orders did not end")
    return report
