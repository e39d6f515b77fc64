"""What every model of the contract shares: strictness, and the types fields are made of."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from events.currencies import MINOR_UNITS


class Model(BaseModel):
    """A value of the contract: frozen, strict, and closed to unknown fields.

    Validators are built at first use, so that importing the contract stays cheap for a function that needs two models.
    Errors do not show what was wrong with which value: it may be personal, and errors end in logs.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True, hide_input_in_errors=True)


class DomainEvent(Model):
    """A fact of the log. The class name is its type, and the EventBridge ``detail-type``."""

    schema_version: ClassVar[int] = 1


def _known_currency(code: str) -> str:
    if code not in MINOR_UNITS:
        raise ValueError(f"{code!r} is not an ISO 4217 currency code")
    return code


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""An identifier: 1 to 64 of A-Z, a-z, 0-9, underscore and hyphen."""

Shop = Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}$")]
"""The slug of a shop, the tenant of the pipeline."""

OwnOrderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,47}$")]
"""An order's id as its shop knows it, at the shop's own doors."""

OrderId = Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}\.[A-Za-z0-9_-]{1,47}$")]
"""An order's id everywhere else: :func:`events.shops.of_shop`."""

CustomerId = Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}\.[A-Za-z0-9_-]{1,64}$")]
"""A shop's end customer, by the shop's own numbering: :func:`events.shops.of_shop`."""

Currency = Annotated[
    str,
    Field(min_length=3, max_length=3),
    AfterValidator(_known_currency),
    WithJsonSchema({"type": "string", "enum": list(MINOR_UNITS)}),
]
"""An ISO 4217 code."""

MAX_AMOUNT = 10**15

Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
"""Money in the currency's minor unit."""

Quantity = Annotated[int, Field(gt=0, le=1_000_000)]

Text = Annotated[str, Field(min_length=1, max_length=256)]
