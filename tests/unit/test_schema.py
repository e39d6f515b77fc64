"""The committed JSON Schemas: up to date, true to the models, and guarded against changes that break older events."""

import json
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError, create_model

from events import catalog
from events.compatibility import breaks
from events.model import Amount, Currency, DomainEvent, Id, Model
from events.schema_registry import CONTRACT, Schemas, main
from events.upcasting import UPCASTERS
from tests.builders.json_schemas import allowed_by

COMMITTED = list(Schemas().committed())


class Line(Model):
    sku: Id
    quantity: Annotated[int, Field(gt=0, le=100)]
    note: Annotated[str, Field(max_length=10)] | None = None


class Kind(Enum):
    GIFT = "gift"
    ORDER = "order"


class Sold(DomainEvent):
    """The event that the changes below change."""

    order_id: Id
    kind: Kind
    lines: Annotated[tuple[Line, ...], Field(min_length=1, max_length=10)]
    total: Amount = 0
    currency: Currency | None = None
    text: Annotated[str, Field(min_length=2, max_length=10)]
    size: Annotated[int, Field(ge=1, le=10)] | str = 1


def text(**limits: Any) -> Any:
    return (Annotated[str, Field(**{"min_length": 2, "max_length": 10, **limits})], ...)


def lines(**limits: Any) -> Any:
    return (Annotated[tuple[Line, ...], Field(**{"min_length": 1, "max_length": 10, **limits})], ...)


class OneKind(Enum):
    ORDER = "order"


class MoreKinds(Enum):
    ORDER = "order"
    GIFT = "gift"
    SAMPLE = "sample"


def sold(without: str | None = None, **changed: Any) -> type[DomainEvent]:
    """``Sold`` with fields changed, added, or one left out; a field is ``(type, default)``."""
    fields: dict[str, Any] = {
        name: (field.rebuild_annotation(), field.default if not field.is_required() else ...)
        for name, field in Sold.model_fields.items()
        if name != without
    }
    return create_model("Sold", __base__=DomainEvent, **{**fields, **changed})


def line(**changed: Any) -> Any:
    fields: dict[str, Any] = {"sku": (Id, ...), "quantity": (Annotated[int, Field(gt=0, le=100)], ...)}
    fields["note"] = (Annotated[str, Field(max_length=10)] | None, None)
    model = create_model("Line", __base__=Model, **{**fields, **changed})
    return (Annotated[tuple[model, ...], Field(min_length=1, max_length=10)], ...)


BREAKING: dict[str, tuple[type[DomainEvent], str]] = {
    "removed": (sold(without="text"), "text: removed"),
    "made required": (sold(total=(Amount, ...)), "total: made required"),
    "added as required": (sold(reason=(str, ...)), "reason: added as required"),
    "other type": (sold(total=(str, "")), "total: type integer became string"),
    "an alternative gone": (sold(size=(Annotated[int, Field(ge=1, le=10)], 1)), "size: string is not allowed any more"),
    "none gone": (sold(currency=(Currency, "GBP")), "currency: null is not allowed any more"),
    "value gone": (sold(kind=(OneKind, ...)), "kind: values are not allowed any more: gift"),
    "one value left": (sold(kind=(Literal["order"], ...)), "kind: values are not allowed any more: gift"),
    "values listed": (sold(text=(Currency, ...)), "text: only these values"),
    "higher minimum": (sold(size=(Annotated[int, Field(ge=2, le=10)] | str, 1)), "size: minimum became 2, was 1"),
    "minimum excluded": (sold(size=(Annotated[int, Field(gt=1, le=10)] | str, 1)), "size: minimum became 2, was 1"),
    "lower maximum": (sold(size=(Annotated[int, Field(ge=1, le=9)] | str, 1)), "size: maximum became 9, was 10"),
    "longer at least": (sold(text=text(min_length=3)), "text: minLength became 3"),
    "shorter at most": (sold(text=text(max_length=9)), "text: maxLength became 9"),
    "pattern added": (sold(text=text(pattern="^a")), "text: pattern"),
    "other pattern": (sold(order_id=(Annotated[str, Field(pattern="^[a-z]{1,64}$")], ...)), "order_id: pattern became"),
    "more items": (sold(lines=lines(min_length=2)), "lines: minItems"),
    "fewer items": (sold(lines=lines(max_length=9)), "lines: maxItems"),
    "inner field removed": (sold(lines=line(note=(str, ...))), "lines[].note: null is not allowed"),
    "inner field added": (sold(lines=line(price=(int, ...))), "lines[].price: added as required"),
    "inner limit": (sold(lines=line(quantity=(Annotated[int, Field(gt=0, le=99)], ...))), "lines[].quantity: maximum"),
    "default means something else": (sold(total=(Amount, 1)), "total: what an event without it means became 1, was 0"),
    "unknown keyword": (sold(total=(Annotated[int, Field(ge=0, le=10**15, multiple_of=5)], 0)), "total: multipleOf"),
}

COMPATIBLE: dict[str, type[DomainEvent]] = {
    "nothing": Sold,
    "optional field added": sold(reason=(str | None, None)),
    "made optional": sold(text=(Annotated[str, Field(min_length=2, max_length=10)] | None, None)),
    "value added": sold(kind=(MoreKinds, ...)),
    "any value": sold(kind=(str, ...)),
    "alternative added": sold(total=(Amount | str, 0)),
    "limits widened": sold(text=text(min_length=1, max_length=11)),
    "limits dropped": sold(text=(str, ...)),
    "the same limit, inclusive": sold(lines=line(quantity=(Annotated[int, Field(ge=1, lt=101)], ...))),
    "pattern dropped": sold(order_id=(str, ...)),
    "more items allowed": sold(lines=lines(max_length=11)),
    "inner field made optional": sold(lines=line(sku=(Id | None, None))),
    "described otherwise": sold(text=text(description="told")),
}


class Open(DomainEvent, extra="allow"):
    order_id: Id


class Closed(DomainEvent):
    order_id: Id


@pytest.mark.parametrize("change", BREAKING)
def test_a_change_that_breaks_readers_of_older_events_is_named(change: str) -> None:
    changed, named = BREAKING[change]
    found = breaks(Sold.model_json_schema(), changed.model_json_schema())
    assert [each for each in found if named in each], found


@pytest.mark.parametrize("change", COMPATIBLE)
def test_a_change_that_only_widens_is_compatible(change: str) -> None:
    assert breaks(Sold.model_json_schema(), COMPATIBLE[change].model_json_schema()) == []


def test_closing_a_schema_to_unknown_fields_is_a_break() -> None:
    assert breaks(Open.model_json_schema(), Closed.model_json_schema())
    assert breaks(Closed.model_json_schema(), Open.model_json_schema()) == []


@given(st.sampled_from(sorted(COMPATIBLE)), allowed_by(Sold.model_json_schema()))
@settings(max_examples=150)
def test_what_is_called_compatible_reads_everything_that_was_allowed(change: str, older: dict[str, Any]) -> None:
    COMPATIBLE[change].model_validate_json(json.dumps(older))


@pytest.fixture
def contract(tmp_path: Path) -> Callable[..., Schemas]:
    """A contract of one event whose first schema is committed; then the event becomes another model."""
    Schemas(tmp_path, {"Sold": Sold}).write()
    return lambda model, name="Sold": Schemas(tmp_path, {name: model})


@pytest.fixture
def upcaster() -> Iterator[Callable[[str, int, Callable[[dict[str, Any]], dict[str, Any]]], None]]:
    added: list[tuple[str, int]] = []

    def add(name: str, version: int, step: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        UPCASTERS[name, version] = step
        added.append((name, version))

    yield add
    for key in added:
        del UPCASTERS[key]


class Raised(DomainEvent):
    schema_version = 2
    order_id: Id


def test_committed_schemas_are_what_the_models_say_and_break_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err
    assert {name for name, _, _ in COMMITTED} == set(CONTRACT)


def test_check_names_a_file_that_is_missing_or_differs(
    tmp_path: Path, contract: Callable[..., Schemas], capsys: pytest.CaptureFixture[str]
) -> None:
    wider = contract(COMPATIBLE["optional field added"])
    assert main(["--check"], wider) == 1
    assert "Sold.v1.json differs from the model" in capsys.readouterr().err
    assert main([], wider) == 0
    assert main(["--check"], wider) == 0
    (tmp_path / "Sold.v1.json").unlink()
    assert main(["--check"], wider) == 1
    assert "Sold.v1.json is missing" in capsys.readouterr().err


def test_a_break_is_refused_by_the_check_and_is_not_written_either(
    tmp_path: Path, contract: Callable[..., Schemas], capsys: pytest.CaptureFixture[str]
) -> None:
    committed = (tmp_path / "Sold.v1.json").read_text()
    broken = contract(sold(without="text"))
    for arguments in (["--check"], []):
        assert main(arguments, broken) == 1
        assert "Sold: text: removed" in capsys.readouterr().err
    assert (tmp_path / "Sold.v1.json").read_text() == committed


def test_a_break_needs_a_new_schema_version_and_an_upcaster(
    tmp_path: Path,
    contract: Callable[..., Schemas],
    upcaster: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    raised = contract(Raised)
    assert main([], raised) == 1
    assert "no upcaster from schema version 1 to 2" in capsys.readouterr().err
    upcaster("Sold", 1, lambda older: {"order_id": older["order_id"]})
    assert main([], raised) == 0
    assert main(["--check"], raised) == 0
    assert {file.name for file in tmp_path.iterdir()} == {"Sold.v1.json", "Sold.v2.json"}


def test_an_event_cannot_be_removed_nor_its_schema_version_lowered(
    tmp_path: Path, contract: Callable[..., Schemas]
) -> None:
    assert list(contract(Closed, name="Other").broken()) == ["Sold: removed, but the log may hold it"]
    (tmp_path / "Sold.v1.json").rename(tmp_path / "Sold.v2.json")
    assert list(contract(Sold).broken()) == ["Sold: schema version 2 is committed, the model says 1"]


@pytest.mark.parametrize(("name", "version", "schema"), COMMITTED, ids=[f"{name}.v{n}" for name, n, _ in COMMITTED])
def test_what_a_committed_schema_allows_is_read_today(name: str, version: int, schema: dict[str, Any]) -> None:
    """Also through upcasting, and also where a validator is stricter than a schema can say."""

    @given(allowed_by(schema))
    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    def read(older: Any) -> None:
        if name in catalog.DOMAIN_EVENTS:
            catalog.read(name, version, json.dumps(older))
        else:
            CONTRACT[name].model_validate_json(json.dumps(older))

    read()


@pytest.mark.parametrize(("name", "version", "schema"), COMMITTED, ids=[f"{name}.v{n}" for name, n, _ in COMMITTED])
def test_what_a_committed_schema_forbids_is_refused(name: str, version: int, schema: dict[str, Any]) -> None:
    @given(allowed_by(schema), st.data())
    @settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
    def refuse(older: dict[str, Any], data: st.DataObject) -> None:
        with pytest.raises(ValidationError, match="Extra inputs"):
            CONTRACT[name].model_validate_json(json.dumps({**older, "unknown": 1}))
        if "required" not in schema:
            return
        without = data.draw(st.sampled_from(schema["required"]))
        with pytest.raises(ValidationError, match="Field required"):
            CONTRACT[name].model_validate_json(json.dumps({key: older[key] for key in older if key != without}))

    refuse()
