"""The entry point of the erasure's function: how far it is in, how far it is now out."""

from typing import Any

from handlers.operations.erasure.erase import Erasure
from handlers.operations.erasure.progress import Progress
from handlers.runtime.observability import Handler, logger, observed


def erasing(erasure: Erasure) -> Handler:
    """The entry point: gets further, as far as there is time."""

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        progress = erasure.run(
            Progress.model_validate(event["progress"]),
            event["execution"],
            lambda: context.get_remaining_time_in_millis() / 1000,
        )
        logger.info("step done", done=progress.done, under_way=len(progress.under_way), **progress.found.model_dump())
        return progress.model_dump(mode="json", exclude_none=True)

    return observed(handler)
