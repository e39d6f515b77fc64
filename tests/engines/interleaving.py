"""Workers at once: threads of which one runs at a time, and which may change places before each call to AWS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue

from tests.engines.in_process import WIRE


def interleaved(workers: Sequence[Callable[[], object]], turns: Iterator[int]) -> None:
    """Run the workers at once; before each call of theirs to AWS, ``turns`` says who continues.

    A turn is any number: it is taken modulo the number of workers that are not done. Raises what a worker raises.
    """
    reached: SimpleQueue[tuple[int, bool]] = SimpleQueue()
    may_go_on = [threading.Semaphore(0) for _ in workers]
    current = threading.local()
    failures: list[BaseException] = []

    def pause() -> None:
        number: int = current.number
        reached.put((number, True))
        may_go_on[number].acquire()

    def run(number: int, work: Callable[[], object]) -> None:
        current.number = number
        try:
            pause()
            work()
        except BaseException as failure:
            failures.append(failure)
        reached.put((number, False))

    with WIRE.preceded(by=pause):
        for number, work in enumerate(workers):
            threading.Thread(target=run, args=(number, work), daemon=True).start()
        waiting = sorted(number for number, _ in (reached.get() for _ in workers))
        while waiting:
            chosen = waiting[next(turns) % len(waiting)]
            may_go_on[chosen].release()
            if not reached.get()[1]:
                waiting.remove(chosen)
    if failures:
        raise failures[0]
