"""A dropped file in the bucket: what is read of it, and what its import writes beside it.

The file lies below ``incoming/`` until its import has finished. Then it is ``done/<path>/<version>``, and its report is
``reports/<path>/<version>.json``: a second file of the same name has another version, and overwrites neither.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from pydantic import TypeAdapter
from pydantic_core import to_json

from handlers.files.progress import Progress, Report

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

INCOMING, DONE, REPORTS, CHECKPOINTS = "incoming/", "done/", "reports/", "checkpoints/"

_IMPORT_IDS = UUID("1b6f6f0e-2f0c-4c55-8f8a-0d0c6b9a7c11")
_NOT_THERE = {"NoSuchKey", "NoSuchVersion"}
_ATTEMPTS = 3
_MAX_KEY_BYTES = 1024


class Gone(Exception):
    """The file is not there any more: its import has ended."""


@dataclass(frozen=True, slots=True)
class FileVersion:
    """One version of an object below ``incoming/``."""

    bucket: str
    key: str
    version_id: str

    @classmethod
    def named_in(cls, body: str) -> FileVersion:
        """The version that an EventBridge event of S3 names, in its JSON.

        Raises:
            LookupError, TypeError, ValueError: it names none, or none in a bucket with versions.
        """
        detail = json.loads(body)["detail"]
        return cls(detail["bucket"]["name"], detail["object"]["key"], detail["object"]["version-id"])

    @property
    def path(self) -> str:
        """The key below ``incoming/``."""
        return self.key.removeprefix(INCOMING)

    @property
    def folder(self) -> str:
        """The first folder below ``incoming/``, which says whose file it is; empty where there is none."""
        folder, _, rest = self.path.partition("/")
        return folder if rest else ""

    @property
    def path_in_folder(self) -> str:
        """The key below that folder."""
        return self.path.removeprefix(f"{self.folder}/")

    def key_of_result(self, prefix: str, ending: str = "") -> str:
        """A key for what becomes of this version, its path shortened where the key would be too long for S3."""
        end = f"/{self.version_id}{ending}"
        room = _MAX_KEY_BYTES - len(f"{prefix}{end}".encode())
        return prefix + self.path.encode()[:room].decode(errors="ignore") + end

    @property
    def import_id(self) -> str:
        """The id of its import, the same for every event about it."""
        return str(uuid5(_IMPORT_IDS, f"{self.bucket}/{self.key}/{self.version_id}"))


class DroppedFile:
    """A dropped file, its checkpoint and its report in the bucket. Each can be written again without harm."""

    def __init__(self, client: S3Client, version: FileVersion) -> None:
        self._client = client
        self._checkpoint = CHECKPOINTS + version.import_id
        self.version = version

    def open(self, offset: int) -> ObjectStream:
        """Its bytes from ``offset`` on. Raises Gone."""
        return ObjectStream(self._client, self.version, offset)

    def progress(self) -> Progress | None:
        """How far its import was at its last checkpoint, if it has one."""
        try:
            answer = self._client.get_object(Bucket=self.version.bucket, Key=self._checkpoint)
        except ClientError as failure:
            if failure.response["Error"]["Code"] not in _NOT_THERE:
                raise
            return None
        return TypeAdapter(Progress).validate_json(answer["Body"].read())  # few invocations need one: not at import

    def save(self, progress: Progress) -> None:
        """Write the checkpoint."""
        self._put(self._checkpoint, to_json(progress))

    def finish(self, report: Report) -> None:
        """Write the report and move the file to ``done/``. Killed in between, all of it can be done again.

        Raises:
            Gone: another delivery of the same event has finished it.
        """
        at = self.version
        self._put(at.key_of_result(REPORTS, ".json"), to_json(report, indent=2))
        try:
            self._client.copy_object(
                Bucket=at.bucket,
                Key=at.key_of_result(DONE),
                CopySource={"Bucket": at.bucket, "Key": at.key, "VersionId": at.version_id},
                TaggingDirective="REPLACE",  # by none: reading and writing tags needs permissions of its own
            )
        except ClientError as failure:
            raise _gone(failure) from failure
        self._client.delete_object(Bucket=at.bucket, Key=at.key, VersionId=at.version_id)
        self.forget()

    def forget(self) -> None:
        """Remove the checkpoint."""
        self._client.delete_object(Bucket=self.version.bucket, Key=self._checkpoint)

    def _put(self, key: str, json: bytes) -> None:
        self._client.put_object(Bucket=self.version.bucket, Key=key, Body=json, ContentType="application/json")


class ObjectStream:
    """The bytes of a file from an offset on. A connection that breaks is opened again where it broke."""

    def __init__(self, client: S3Client, at: FileVersion, offset: int) -> None:
        """Open it. Raises Gone."""
        self._client = client
        self._at = at
        self._offset = offset
        self._body = self._opened()

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes, none at the end.

        Raises:
            Gone: the object was deleted meanwhile.
            HTTPClientError, IncompleteReadError: the connection broke several times without a byte in between.
        """
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                if self._body is None:
                    return b""
                data = self._body.read(size)
            except (HTTPClientError, IncompleteReadError):
                if not attempts_left:
                    raise
                self._body = self._opened()
            else:
                break
        self._offset += len(data)
        return data

    def _opened(self) -> StreamingBody | None:
        try:
            answer = self._client.get_object(
                Bucket=self._at.bucket, Key=self._at.key, VersionId=self._at.version_id, Range=f"bytes={self._offset}-"
            )
        except ClientError as failure:
            if failure.response["Error"]["Code"] == "InvalidRange":  # it begins where the object ends
                return None
            raise _gone(failure) from failure
        return answer["Body"]


def _gone(failure: ClientError) -> Exception:
    """What a failure to read the object means."""
    return Gone() if failure.response["Error"]["Code"] in _NOT_THERE else failure
