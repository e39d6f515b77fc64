"""What orders are counted to cause is priced, service by service, and nothing of it is left out."""

import pytest

from infra.planning.pricing import USD, priced


def test_each_count_has_its_price() -> None:
    usd = priced({"express_requests": 1, "express_gb_seconds": 0.1, "state_transitions": 2, "sqs_requests": 5})
    assert usd["step_functions"] == pytest.approx(
        USD["express_request"] + 0.1 * USD["express_gb_second"] + 2 * USD["state_transition"]
    )
    assert usd["sqs"] == pytest.approx(5 * USD["sqs_request"])
    assert usd["total"] == pytest.approx(usd["step_functions"] + usd["sqs"])


def test_write_units_of_projections_and_of_the_vault_are_billed_like_others() -> None:
    apart = priced({"write_units": 26, "write_units.stock_view": 8, "write_units.vault": 4})
    assert apart == priced({"write_units": 38})


def test_e_mails_and_the_door_are_told_apart_from_what_every_order_costs() -> None:
    usd = priced({"put_events_entries": 6, "emails": 2, "api_requests": 1})
    assert usd["total"] == pytest.approx(6 * USD["put_events_entry"])
    assert usd["with_everything"] == pytest.approx(usd["total"] + 2 * USD["email"] + USD["api_request"])
