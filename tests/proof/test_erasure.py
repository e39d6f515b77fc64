"""300 orders with marks in every personal field, by every door: of the erased half nothing is left anywhere."""

from infra.local.pipeline import Pipeline
from tests.builders.commands import run_command
from tests.builders.marked_orders import DOORS, WAYS
from tests.builders.shops import Shop
from tests.engines.erasure_proof import Proof

COUNT = 300
SECONDS = 1800.0


def test_of_the_erased_nothing_is_left_and_of_the_others_everything(pipeline: Pipeline, shop: Shop) -> None:
    proof = Proof(pipeline, shop, COUNT, "proof", SECONDS)
    for orders in (proof.erased, proof.kept):
        assert {(each.way, each.door) for each in orders} >= {(way, door) for way in WAYS[:4] for door in DOORS}
    proof.run()
    proof.redrive()
    backup = proof.vaulted()
    assert proof.search(archive=True) == proof.expected(proof.orders)

    for printed in proof.erase():
        assert printed.count("left until") == 4, printed
    assert proof.search(archive=True) == proof.expected(proof.kept)
    proof.check_views()
    proof.check_balances()

    proof.restore(backup)
    assert proof.search() == proof.expected(proof.orders, dead_letters_of=proof.kept)
    assert run_command("--endpoint", pipeline.endpoint, "erase", "--from-ledger").exit_code == 0
    assert proof.search() == proof.expected(proof.kept)

    for projection in ("order_view", "customer_history"):
        done = run_command("--endpoint", pipeline.endpoint, "rebuild", projection, "--keep", "0s")
        assert done.exit_code == 0, done.stderr
    proof.check_views()
    proof.check_balances()
    assert proof.search(archive=True) == proof.expected(proof.kept)
