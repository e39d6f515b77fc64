"""The entry point of a rebuild's function: a message of the state machine in, the step's answer out."""

from typing import Any

from handlers.projections.rebuild.messages import STEP
from handlers.projections.rebuild.steps import Rebuild
from handlers.runtime.observability import Handler, logger, observed


def rebuilding(rebuild: Rebuild) -> Handler:
    """The entry point: runs the step that the state machine names."""

    def handler(event: dict[str, Any], context: Any) -> Any:
        answer = rebuild.run(STEP.validate_python(event), lambda: context.get_remaining_time_in_millis() / 1000)
        logger.info("step done", step=event["step"], projection=event.get("projection"))
        return answer and answer.model_dump(mode="json")

    return observed(handler)
