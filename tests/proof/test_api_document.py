"""For ten minutes, or for PROOF_SECONDS, wrong requests of every kind: no 5xx, and no answer the document lacks."""

import os
from random import randrange

from tests.builders.api_routes import OPERATIONS
from tests.builders.shops import Shop
from tests.engines.document_run import WRONG, run

SECONDS = int(os.environ.get("PROOF_SECONDS", "600"))


def test_no_wrong_request_meets_a_failure_or_an_answer_the_document_lacks(shop: Shop) -> None:
    seed = randrange(2**32)
    made = run(shop, [WRONG], SECONDS, seed)
    print(f"seed {seed}: {made.answers.total()} answers: {dict(made.answers)}")
    assert made.answers.keys() == {f"{verb} {path}" for verb, path in OPERATIONS}
    assert not made.broken, f"seed {seed}\n\n" + "\n\n".join(made.broken)
