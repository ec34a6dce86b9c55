"""The object store as a worker sees it: whole files in, whole files out.

Objects are immutable once written: keys are derived from content or from a step's inputs, so a
second writer of a key writes the same bytes.
"""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from ray_jobs.failures import Failure

CHUNK_BYTES = 1 << 22


class Store(Protocol):
    def get(self, key: str, path: Path) -> bool:
        """Copy the object to `path`; False where there is no such object."""

    def put(self, path: Path, key: str, content_type: str) -> None:
        """Store the file under `key`, whole or not at all."""

    def head(self, key: str) -> int | None:
        """Size of the object in bytes, None where there is no such object."""


Tick = Callable[[], None]


def never() -> None:
    """Nobody interrupts."""


def open_store(url: str, *, s3_endpoint_url: str | None = None, tick: Tick = never) -> Store:
    """Open `file:///directory` or `s3://bucket`.

    `tick` is called several times a second while bytes are moved, and may raise to stop.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "file":
            return DirectoryStore(Path(unquote(parts.path)), tick)
        case "s3":
            return S3Store(parts.netloc, endpoint_url=s3_endpoint_url, tick=tick)
        case scheme:
            raise ValueError(f"object store {scheme}:// is neither file:// nor s3://")


class DirectoryStore:
    """Plain files below one directory, shared by every process that works on it."""

    def __init__(self, root: Path, tick: Tick = never) -> None:
        self.root = root
        self.tick = tick

    def get(self, key: str, path: Path) -> bool:
        try:
            link_or_copy(self.root / key, path, self.tick)
        except FileNotFoundError:
            return False
        return True

    def put(self, path: Path, key: str, content_type: str) -> None:  # noqa: ARG002
        target = self.root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".put-")
        os.close(handle)
        try:
            copy(path, Path(temporary), self.tick)
            with Path(temporary).open("rb+") as written:
                os.fsync(written.fileno())
            Path(temporary).replace(target)
        except OSError as error:
            raise _storage_failure(error) from error
        finally:
            Path(temporary).unlink(missing_ok=True)

    def head(self, key: str) -> int | None:
        try:
            return (self.root / key).stat().st_size
        except FileNotFoundError:
            return None


class S3Store:
    """Any S3; credentials and region come from the environment, as botocore reads them."""

    def __init__(self, bucket: str, *, endpoint_url: str | None = None, tick: Tick = never) -> None:
        self.bucket = bucket
        self.tick = tick
        self.endpoint_url = endpoint_url
        self._client: Any = None

    @property
    def client(self) -> Any:
        if self._client is None:
            import boto3
            from botocore.config import Config

            self._client = boto3.client(
                "s3",
                endpoint_url=self.endpoint_url,
                config=Config(
                    retries={"mode": "standard", "max_attempts": 5},
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        return self._client

    def get(self, key: str, path: Path) -> bool:
        if self.head(key) is None:
            return False
        self.client.download_file(self.bucket, key, str(path), Callback=self._moved)
        return True

    def put(self, path: Path, key: str, content_type: str) -> None:
        self.client.upload_file(
            str(path), self.bucket, key, {"ContentType": content_type}, Callback=self._moved
        )

    def _moved(self, _size_bytes: int) -> None:
        self.tick()

    def head(self, key: str) -> int | None:
        from botocore.exceptions import ClientError

        try:
            return int(self.client.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise


def link_or_copy(source: Path, target: Path, tick: Tick = never) -> None:
    """Hard-link where the file system allows it: stored objects never change."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except FileNotFoundError:
        raise
    except OSError:
        copy(source, target, tick)


def copy(source: Path, target: Path, tick: Tick) -> None:
    """Copy a file's bytes, as much at a time as takes no noticeable time."""
    with source.open("rb") as read, target.open("wb") as written:
        while chunk := read.read(CHUNK_BYTES):
            written.write(chunk)
            tick()


def _storage_failure(error: OSError) -> Failure:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure(
            "no_space", "The object store is full; free space and retry.", retryable=True
        )
    return Failure("storage_failed", f"The object store refused a write: {error.strerror}.")
