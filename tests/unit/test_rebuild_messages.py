"""The messages of a rebuild: each step takes its own, numbers of any size survive JSON, and rounds come to an end."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from handlers.projections.rebuild.evaluation import ROUNDS, GenerationDiffers, evaluate
from handlers.projections.rebuild.messages import STEP, ComparedSegment, Evaluate, Evaluation, Message, Segment

LARGE = st.integers(-(2**70), 2**70)
OF = {"projection": "daily_sales", "generation": "2"}


def through_the_state_machine(message: Message) -> Any:
    """An answer as the next step receives it."""
    return json.loads(json.dumps(message.model_dump(mode="json")))


@pytest.mark.parametrize(
    "payload",
    [
        {"step": "switch", **OF, "generations": ["1"]},
        {"step": "close", **OF, "segment": {"number": 0, "of": 1}},
        {"step": "switch", "projection": "daily_sales"},
        {"step": "open", "input": {"projection": "daily_sales", "restarted": True}},
        {"step": "open", "input": {"projection": "daily_sales", "keep_seconds": -1}},
        {"step": "judge", **OF},
        OF,
    ],
)
def test_a_message_has_the_fields_of_its_step_and_no_others(payload: Any) -> None:
    with pytest.raises(ValidationError):
        STEP.validate_python(payload)


@given(LARGE, st.none() | LARGE)
def test_numbers_of_any_size_survive_what_is_a_double_in_json(off_by: int, difference: int | None) -> None:
    segment = ComparedSegment(number=0, of=1, counters_off_by=off_by)
    assert ComparedSegment.model_validate(through_the_state_machine(segment)) == segment
    evaluation = Evaluation(difference=difference)
    assert Evaluation.model_validate(through_the_state_machine(evaluation)) == evaluation
    assert not isinstance(through_the_state_machine(segment)["counters_off_by"], int | float)


@given(st.none() | st.tuples(st.text(), st.text()))
def test_a_segment_is_continued_after_its_cursor_and_done_without_one(cursor: Any) -> None:
    continued = Segment(number=1, of=2).continued(cursor)
    assert (continued.number, continued.of) == (1, 2)
    assert continued.done == (cursor is None)
    assert tuple(Segment.model_validate(through_the_state_machine(continued)).after or ()) == (cursor or ())


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-2, 2)), min_size=ROUNDS, max_size=ROUNDS))
def test_after_the_last_round_a_generation_is_accepted_or_differs(found: list[tuple[int, int]]) -> None:
    """It differs where streams do, or where the counters are off by the same in two rounds one after the other."""
    previous = Evaluation()
    for streams, off_by in found:
        segment = ComparedSegment(number=0, of=1, differing_count=streams, counters_off_by=off_by, done=True)
        message = Evaluate(step="evaluate", **OF, filled=(), compared=(segment,), previous=previous)
        last = previous.rounds + 1 == ROUNDS
        if last and (streams or off_by == previous.difference != 0):
            with pytest.raises(GenerationDiffers, match="generation 2 of daily_sales"):
                evaluate(message)
            return
        previous = evaluate(message)
        assert previous.again == (not last and (streams, off_by) != (0, 0))
        assert previous.counters_moving == (off_by != 0)
        if not previous.again:
            return
    raise AssertionError("it is to be compared for ever")
