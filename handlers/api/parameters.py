"""What questions may say: types that are checked, and documented."""

import re
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import AwareDatetime, BeforeValidator, Field

from handlers.api.answers import Status

_ID = r"^[A-Za-z0-9_-]{1,64}$"
ORDER_ID = r"^([a-z0-9]{1,16}[.])?[A-Za-z0-9_-]{1,47}$"
_CUSTOMER = r"^([a-z0-9]{1,16}[.])?[A-Za-z0-9_-]{1,64}$"
_MAX_LIMIT = 100


def _plain_integer(text: Any) -> Any:
    """Refuse what pydantic takes for an integer besides: spaces, underscores, ``+1`` and ``1.0``."""
    if isinstance(text, str) and not re.fullmatch("-?[0-9]+", text):
        raise ValueError("an integer is written in digits alone")
    return text


OrderId = Annotated[
    str, Path(pattern=ORDER_ID, description="The order, by the shop's own id; an operator puts `<shop>.` before it.")
]
CustomerId = Annotated[
    str | None,
    Query(pattern=_CUSTOMER, description="Only orders of that customer; an operator puts `<shop>.` before the id."),
]
Sku = Annotated[str, Path(pattern=_ID, description="The SKU.")]
AsOf = Annotated[AwareDatetime | None, Query(description="Show the order as it stood at that moment (RFC 3339).")]
OfStatus = Annotated[Status | None, Query(description="Only orders of that status.")]
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,1024}$", description="The cursor of the page before.")]
_Count = Annotated[int, Field(ge=1, le=_MAX_LIMIT), BeforeValidator(_plain_integer)]
Limit = Annotated[_Count, Query(description="How many orders at most.")]
FileName = Annotated[str, Path(max_length=64)]
