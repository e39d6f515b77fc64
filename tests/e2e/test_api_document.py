"""The OpenAPI document keeps its word: no request made up from it, right or wrong, meets an answer it does not tell of.

tests/proof has more of this.
"""

from tests.builders.api_routes import OPERATIONS
from tests.builders.shops import Shop
from tests.engines.document_run import EXAMPLES, RIGHT, WRONG, run


def test_the_document_holds_for_right_and_wrong_requests(shop: Shop) -> None:
    made = run(shop, [RIGHT, WRONG])
    assert made.answers.keys() == {f"{verb} {path}" for verb, path in OPERATIONS}
    assert min(made.answers.values()) >= 2 * EXAMPLES
    assert not made.broken, "\n\n".join(made.broken)
