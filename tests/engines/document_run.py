"""Requests made up from the OpenAPI document, right and wrong ones, and which answers break its word.

Schemathesis makes and checks them. What it cannot know, `keeps_what_json_schema_cannot_say` tells it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import HealthCheck, SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.generation import GenerationMode

from tests.builders.shops import Shop

RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
EXAMPLES = 10
SEED = 1
ONLY_PYTHONS_WHITE_SPACE = set("\x1c\x1d\x1e\x1f\x85")


@dataclass
class Run:
    """How many answers each operation gave, and what was wrong with those that broke the document's word."""

    answers: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def run(shop: Shop, modes: Sequence[GenerationMode], seconds: int | None = None, seed: int = SEED) -> Run:
    """Ask every operation with data of these modes: once through, or again and again for so many seconds."""
    document = shop.ask("GET", "/openapi.json").json
    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig(seed=seed, max_time=seconds))
    schema.config.update(
        base_url=shop.url,
        headers=shop.headers(),
        continue_on_failure=True,
        # They are about making up data slowly.
        suppress_health_check=[HealthCheck.all],
    )
    schema.config.generation.update(modes=list(modes), max_examples=EXAMPLES, database="none")
    schema.config.phases.stateful.enabled = False
    schema.hook("filter_body")(keeps_what_json_schema_cannot_say)
    made = Run()
    for event in from_schema(schema).execute():
        match event:
            case events.ScenarioFinished(recorder=recorder):
                made.answers[recorder.label] += len(recorder.interactions)
                made.broken += [
                    f"{recorder.label}: {check.failure_info.failure}\n{check.failure_info.code_sample}"
                    for checks in recorder.checks.values()
                    for check in checks
                    if check.failure_info
                ]
            case events.NonFatalError(label=label, value=error):
                made.broken.append(f"{label}: {error!r}")
            case events.FatalError(exception=error):
                raise error
    return made


def keeps_what_json_schema_cannot_say(context: Any, body: Any) -> bool:
    """Whether a body has no integer with a decimal point: to JSON Schema 1.0 is an integer, and here it is none.

    Nor a character that is white space to the regular expressions of Python, the emulator's, and none to JSON Schema's.
    """
    match body:
        case dict():
            return all(keeps_what_json_schema_cannot_say(context, part) for part in body.values())
        case list():
            return all(keeps_what_json_schema_cannot_say(context, part) for part in body)
        case float():
            return not body.is_integer()
        case str():
            return not ONLY_PYTHONS_WHITE_SPACE & set(body)
    return True
