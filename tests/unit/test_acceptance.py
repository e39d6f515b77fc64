"""Acceptance of an environment: its report, its deadlines, its end on Ctrl-C, and what it asks of a function's role."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Barrier, Event

import pytest

from infra.cli.connection import Connection
from infra.constructs import lambda_function
from infra.deployment.refusals import Refused
from infra.function_spec import GET, PUT, QUERY, SCAN, FunctionSpec, Rows, VaultItems
from tests.acceptance.access import Question, questions
from tests.acceptance.changes import LIVE, Call, report_of
from tests.acceptance.check import Check, Evidence, NotSet, Result, Verdict, Wrong
from tests.acceptance.checks import CHECKS, LANES
from tests.acceptance.environment import Environment
from tests.acceptance.report import Report
from tests.acceptance.running import outcome, run
from tests.acceptance.watch import Interrupted, TooLate, Watch
from tests.builders.settings import settings

MINUTES_IN_ALL = 60
AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
Prove = Callable[[Environment, Watch], Evidence]


def environment(*, here: bool = False) -> Environment:
    return Environment("staging", settings(), Connection(endpoint="http://127.0.0.1:1"), "", "", here=here)


def check(prove: Prove, *, name: str = "one", minutes: float = 1, not_here: str | None = None) -> Check:
    return Check(name, "that it holds", prove, minutes, not_here)


def raising(problem: Exception) -> Prove:
    def prove(_environment: Environment, _watch: Watch) -> Evidence:
        raise problem

    return prove


def holds(_environment: Environment, _watch: Watch) -> Evidence:
    return {"seen": 3}


def waits_for_ever(_environment: Environment, watch: Watch) -> Evidence:
    watch.until(lambda: None, "rain")
    raise AssertionError


@pytest.mark.parametrize(
    ("prove", "verdict", "said"),
    [
        (holds, Verdict.PASSED, "seen: 3"),
        (raising(Wrong("it is blue")), Verdict.FAILED, "Wrong: it is blue"),
        (raising(KeyError("Bucket")), Verdict.FAILED, "KeyError: 'Bucket'"),
        (raising(NotSet("gradual is not true")), Verdict.NOT_SET, "gradual is not true"),
    ],
)
def test_whatever_a_check_raises_is_what_came_of_it(prove: Prove, verdict: Verdict, said: str) -> None:
    result = outcome(check(prove), environment(), Event())
    assert (result.verdict, result.said) == (verdict, said)


def test_a_check_that_cannot_be_proven_here_is_not_run_here_alone() -> None:
    unprovable = check(holds, not_here="no roles")
    result = outcome(unprovable, environment(here=True), Event())
    assert (result.verdict, result.reason) == (Verdict.NOT_HERE, "no roles")
    assert outcome(unprovable, environment(), Event()).verdict is Verdict.PASSED


def test_a_check_has_a_deadline_and_says_what_it_waited_for() -> None:
    result = outcome(check(waits_for_ever, minutes=0.001), environment(), Event())
    assert (result.verdict, result.reason) == (Verdict.FAILED, "TooLate: rain: not within 0.001 minutes")


def test_what_is_found_is_returned_and_what_is_tried_is_not_tried_again_at_once() -> None:
    tried: list[int] = []
    looks = iter([None, None, "found"])
    watch = Watch(60, Event(), poll_seconds=0)
    assert watch.trying(lambda: tried.append(1), lambda: next(looks), "it") == "found"
    assert tried == [1]


def test_a_pause_ends_with_the_deadline() -> None:
    with pytest.raises(TooLate, match="settled: not within"):
        Watch(0.006, Event(), poll_seconds=1).pause(60, "settled")


def test_lanes_run_side_by_side_and_results_come_in_their_order() -> None:
    both = Barrier(2)

    def meets(_environment: Environment, _watch: Watch) -> Evidence:
        both.wait(timeout=60)
        return {"met": 2}

    told: list[str] = []
    lanes = [[check(meets, name="a"), check(holds, name="b")], [check(meets, name="c")]]
    results = run(lanes, environment(), lambda result: told.append(result.name))
    assert [(each.name, each.verdict) for each in results] == [(name, Verdict.PASSED) for name in "abc"]
    assert sorted(told) == ["a", "b", "c"]


def test_on_ctrl_c_every_check_restores_what_it_changed_and_no_other_begins() -> None:
    changed, restored, begun = Barrier(2), list[str](), list[str]()

    def changes(_environment: Environment, watch: Watch) -> Evidence:
        try:
            changed.wait(timeout=60)
            watch.until(lambda: None, "rain")
        finally:
            restored.append("restored")
        raise AssertionError

    def is_interrupted(_environment: Environment, _watch: Watch) -> Evidence:
        changed.wait(timeout=60)
        raise Interrupted

    def begins(_environment: Environment, _watch: Watch) -> Evidence:
        begun.append("begun")
        return {}

    lanes = [[check(is_interrupted)], [check(changes), check(begins)]]
    with pytest.raises(Interrupted):
        run(lanes, environment(), lambda _: None)
    assert (restored, begun) == (["restored"], [])


def test_the_whole_is_over_within_an_hour_and_no_name_is_taken_twice() -> None:
    assert max(sum(each.minutes for each in lane) for lane in LANES) < MINUTES_IN_ALL
    assert len({each.name for each in CHECKS}) == len(CHECKS)


def test_production_is_refused_before_anything_is_asked_of_it() -> None:
    with pytest.raises(Refused, match="not for production"):
        Environment.on_aws("production")


def report(*results: Result) -> Report:
    return Report("staging", "123456789012", "eu-west-1", AT, 1234.56, {"commit": "abc"}, results)


PASSED = Result("scopes", "tokens do", Verdict.PASSED, 1.26, {"reads": 200, "by": "a|b"})
FAILED = Result("roles", "roles do", Verdict.FAILED, 60, {}, "Wrong: not\nconfirmed")
NOT_SET = Result("turned-back", "it is", Verdict.NOT_SET, 0, {}, "gradual is not true")


def test_the_report_for_programs_has_every_figure() -> None:
    read = json.loads(report(PASSED, FAILED).as_json())
    assert read == {
        "environment": "staging",
        "account": "123456789012",
        "region": "eu-west-1",
        "began_at": "2026-11-21T12:30:00+00:00",
        "seconds": 1234.6,
        "versions": {"commit": "abc"},
        "results": [
            {
                "name": "scopes",
                "proves": "tokens do",
                "verdict": "passed",
                "seconds": 1.3,
                "evidence": {"reads": 200, "by": "a|b"},
                "reason": None,
            },
            {
                "name": "roles",
                "proves": "roles do",
                "verdict": "failed",
                "seconds": 60,
                "evidence": {},
                "reason": "Wrong: not\nconfirmed",
            },
        ],
    }


def test_the_report_for_people_is_a_table_with_a_line_per_check() -> None:
    text = report(PASSED, FAILED, NOT_SET).as_markdown()
    assert text.startswith("# Acceptance of staging\n\n1 passed, 1 failed, 1 not set in this environment; in account 1")
    assert "| scopes: tokens do | passed | 1 | reads: 200; by: a\\|b |" in text
    assert "| roles: roles do | failed | 60 | Wrong: not confirmed |" in text


def test_only_a_failed_check_fails_the_whole() -> None:
    assert report(PASSED, FAILED).failed
    assert not report(PASSED, NOT_SET).failed


def test_a_role_is_asked_for_its_own_keys_for_those_of_others_and_for_none() -> None:
    spec = FunctionSpec("one", (Rows((GET, PUT), ("order#*", "payment#*")), Rows((SCAN,), ("*",))))
    asked = list(questions(spec))
    assert asked[0] == Question((GET, PUT), "", ("order#x", "payment#x"), {}, allowed=True)
    assert asked[1] == Question((SCAN,), "", ("x",), {}, allowed=True)
    denied = {(each.actions, each.keys) for each in asked[2:]}
    assert not any(each.allowed for each in asked[2:])
    foreign = {key for _, keys in denied for key in keys}
    assert foreign
    assert not any(key.startswith(("order#", "payment#")) for key in foreign)
    assert {actions for actions, keys in denied if not keys} == {(GET,), (PUT,)}


def test_a_role_is_asked_about_the_vault_as_requests_to_it_are() -> None:
    reading, writing = VaultItems((QUERY,), "*#*", attributes=("name",)), VaultItems((PUT,), "*#*")
    own = [each for each in questions(FunctionSpec("one", (reading, writing))) if each.allowed]
    assert [each.context for each in own] == [
        {"dynamodb:Attributes": ["PK", "SK", "name"], "dynamodb:Select": ["SPECIFIC_ATTRIBUTES"]},
        {"dynamodb:ReturnValues": ["NONE"]},
    ]
    assert {each.part for each in own} == {"vault"}


def test_the_alias_is_the_one_that_is_deployed() -> None:
    assert LIVE == lambda_function.LIVE


COLD = (
    "START RequestId: 1\nEND RequestId: 1\nREPORT RequestId: 1\tDuration: 12.34 ms\tBilled Duration: 13 ms\t"
    "Memory Size: 512 MB\tMax Memory Used: 90 MB\tInit Duration: 345.67 ms\t\nXRAY TraceId: 1\n"
)


def test_the_log_of_a_call_says_how_long_it_and_a_start_took() -> None:
    assert report_of(COLD) == Call(12.34, 345.67)
    assert report_of(COLD.replace("\tInit Duration: 345.67 ms", "")) == Call(12.34, None)
    assert report_of(COLD.replace("Init", "Restore")) == Call(12.34, 345.67)
    with pytest.raises(Wrong, match="without a report"):
        report_of("START RequestId: 1\n")
