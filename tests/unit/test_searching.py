"""The search for marks finds them however they are packed and escaped, or the proof of erasures would prove nothing."""

import base64
import gzip
import io
import json
import zipfile
from urllib.parse import quote_plus

import pytest

from tests.engines.searching import Mark, marks_in

NAME, EMAIL = Mark(12, "name"), Mark(7, "email")
TEXT = json.dumps({"name": NAME.text, "customer": {"email": f"{EMAIL.plain}@example.com"}}, ensure_ascii=False)


def zipped(content: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("order.json", content)
    return data.getvalue()


WAYS = {
    "plain": TEXT.encode(),
    "with JSON's escapes": json.dumps(json.loads(TEXT)).encode(),
    "JSON within JSON within JSON": json.dumps(json.dumps(json.dumps(json.loads(TEXT)))).encode(),
    "in a URL": quote_plus(TEXT).encode(),
    "base64": base64.b64encode(TEXT.encode()),
    "base64 in JSON": json.dumps({"body": base64.b64encode(TEXT.encode()).decode()}).encode(),
    "base64 for URLs": base64.urlsafe_b64encode(b"???>>>" + TEXT.encode()),
    "compressed": gzip.compress(TEXT.encode()),
    "compressed, in base64": b"{" + base64.b64encode(gzip.compress(TEXT.encode())) + b"}",
    "in a zip file": zipped(TEXT.encode()),
}


@pytest.mark.parametrize("data", WAYS.values(), ids=WAYS)
def test_a_mark_is_found_however_it_is_written(data: bytes) -> None:
    assert marks_in(data) == {NAME, EMAIL}


def test_nothing_else_is_a_mark() -> None:
    assert marks_in(json.dumps({"zq": "zq12", "a": "zqabcdnameqz", "b": "x" * 1000}).encode() + b"\xff\x00") == set()
