"""The codec: plain values to the form that DynamoDB takes, and back."""

import ast
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from handlers.table.codec import Value, decode, encode, numbers

ROOT = Path(__file__).parents[2]
CODEC = ROOT / "handlers" / "table" / "codec.py"

names = st.text(min_size=1, max_size=8)
whole_numbers = st.integers(-(10**38) + 1, 10**38 - 1)
"""What DynamoDB keeps exactly: 38 digits."""
values: st.SearchStrategy[Value] = st.recursive(
    st.text(max_size=20) | whole_numbers, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=6
)
items = st.dictionaries(names, values, max_size=6)


@given(items)
def test_what_is_encoded_is_decoded_to_itself(item: dict[str, Value]) -> None:
    assert decode(encode(item)) == item


@given(items)
def test_it_encodes_as_boto3_does(item: dict[str, Value]) -> None:
    serialize = TypeSerializer().serialize
    assert encode(item) == {name: serialize(value) for name, value in item.items()}


@given(items)
def test_numbers_are_those_of_the_item_itself(item: dict[str, Value]) -> None:
    assert numbers(encode(item)) == {name: value for name, value in item.items() if isinstance(value, int)}


@pytest.mark.parametrize("value", [1.5, Decimal(1), True, None, b"1", ["a"], {"a"}, {"inner": 1.5}])
def test_what_the_table_does_not_keep_is_not_encoded(value: Any) -> None:
    with pytest.raises(TypeError, match="is no text, whole number or map of those"):
        encode({"name": value})


@pytest.mark.parametrize("attribute", [{"BOOL": True}, {"NULL": True}, {"L": []}, {"B": b"1"}, {"SS": ["a"]}, {}])
def test_what_the_table_does_not_keep_is_not_decoded(attribute: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"name is .*, which is no text, whole number or map of those"):
        decode({"name": attribute})


def test_a_number_that_is_not_whole_is_not_decoded() -> None:
    with pytest.raises(ValueError, match=r"1\.5"):
        decode({"name": {"N": "1.5"}})


@pytest.mark.parametrize("folder", ["handlers", "infra"])
def test_no_other_module_writes_values_in_the_form_of_dynamodb(folder: str) -> None:
    written = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        if file != CODEC
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Dict) and is_attribute(node)
    ]
    assert written == []


def is_attribute(node: ast.Dict) -> bool:
    """Whether it is an attribute; the pattern of a filter, which has a list there, is none."""
    match node:
        case ast.Dict(keys=[ast.Constant(value="S" | "N" | "M")], values=[value]):
            return not isinstance(value, ast.List | ast.ListComp)
    return False
