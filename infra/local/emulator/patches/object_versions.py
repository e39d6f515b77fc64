"""Versions of S3 objects: the emulator's events do not name them, it reads no range of one, and where a bucket keeps no
versions, each page of a list of them begins with the last object of the page before.
"""

import contextvars
import json
from typing import Any

from ministack.services import eventbridge, s3  # type: ignore[import-not-found]


def patch() -> None:
    """Let events of S3 name the version of an object, let a range of one be read, and let lists of them end."""
    fire, dispatch, get = s3._fire_s3_event, eventbridge._dispatch_event, s3._get_object
    list_versions = s3._list_object_versions
    current: contextvars.ContextVar[str | None] = contextvars.ContextVar("current", default=None)

    def fire_with_version(*arguments: Any, version_id: str | None = None, **more: Any) -> None:
        token = current.set(version_id)
        try:
            fire(*arguments, version_id=version_id, **more)
        finally:
            current.reset(token)

    def dispatch_with_version(event: dict[str, Any], *more: Any) -> Any:
        if event["Source"] == "aws.s3" and (version := current.get()):
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version
            event["Detail"] = json.dumps(detail)
        return dispatch(event, *more)

    def get_range(bucket: str, key: str, headers: dict[str, str], query: Any = None) -> tuple[int, dict[str, str], Any]:
        status, answered, body = get(bucket, key, headers, query)
        if status != 200 or "range" not in headers:
            return status, answered, body
        size = len(body)
        found = s3._parse_range(headers["range"], size)
        if found is None:
            return 416, {"Content-Type": "application/xml"}, s3._xml_body(s3._range_error_xml(bucket, key))
        start, end = found
        part = body[start : end + 1]
        answered = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum-")}
        return 206, answered | {"Content-Length": str(len(part)), "Content-Range": f"bytes {start}-{end}/{size}"}, part

    def list_after(bucket: str, query: dict[str, Any]) -> Any:
        alone = not s3._object_versions.get((bucket, s3._qp(query, "key-marker", "")))
        if alone and s3._qp(query, "version-id-marker", "") == "null":
            query = {name: value for name, value in query.items() if name != "version-id-marker"}
        return list_versions(bucket, query)

    s3._list_object_versions = list_after
    s3._fire_s3_event, eventbridge._dispatch_event, s3._get_object = fire_with_version, dispatch_with_version, get_range
