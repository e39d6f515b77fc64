"""Evaluating a comparison: whether the generation is what the log folds to, or is to be compared once more. Pure."""

from itertools import islice

from handlers.projections.rebuild.messages import Evaluate, Evaluation

ROUNDS = 3
"""How often a generation is compared with the log at most."""

MOST_NAMED = 20
"""How many streams that differ are named."""


class GenerationDiffers(Exception):
    """A new generation is not what the log folds to: the old one stays live."""


def evaluate(message: Evaluate) -> Evaluation:
    """What a round of comparison came to.

    An event that failed once is delivered again after a minute, and counters that were read while traffic went on may
    be off by what happened in between: another round shows.

    Raises:
        GenerationDiffers: after the last round streams differ, or the counters are off by the same as a round before.
    """
    rounds = message.previous.rounds + 1
    count = sum(segment.differing_count for segment in message.compared)
    difference = sum(segment.counters_off_by for segment in message.compared)
    again = (count > 0 or difference != 0) and rounds < ROUNDS
    if count and not again:
        differing = list(islice((stream for segment in message.compared for stream in segment.differing), MOST_NAMED))
        raise GenerationDiffers(
            f"generation {message.generation} of {message.projection} differs from the log in {count} streams: "
            f"{', '.join(differing)}{', …' if count > len(differing) else ''}"
        )
    if difference and not again and difference == message.previous.difference:
        raise GenerationDiffers(
            f"the counters of generation {message.generation} of {message.projection} do not add up to the log's"
        )
    return Evaluation(
        rounds=rounds,
        difference=difference,
        again=again,
        counters_moving=difference != 0,
        events=sum(segment.events for segment in message.filled),
        streams=sum(segment.streams for segment in message.compared),
        compared=sum(segment.compared for segment in message.compared),
    )
