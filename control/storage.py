"""The object store as the control plane sees it: signed URLs, sizes, and nothing of the bytes.

Two stores behind one interface: any S3, or a directory whose signed URLs `control.store` serves.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from pydantic import BaseModel

from control.settings import Settings

CHUNK_BYTES = 1 << 20
PARTED_ABOVE_BYTES = 4 << 30
PART_BYTES, MAX_PARTS = 128 << 20, 1000
ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}$")


class UploadPart(BaseModel):
    """A stretch of the file and where to PUT it; parts may be sent side by side, and again."""

    number: int
    url: str
    first_byte: int
    size_bytes: int


class Upload(BaseModel):
    """How to send the bytes: a plain request, or a form where `fields` are given, to `url`; or, of
    a large file, each of `parts` to its own, and then `url` is null.
    """

    method: str
    url: str | None
    headers: dict[str, str] = {}
    fields: dict[str, str] = {}
    parts: list[UploadPart] = []
    expires_at: datetime
    max_bytes: int


class PartedUpload(Upload):
    """An upload in parts; `session` is S3's name for it, and nobody else's business."""

    session: str


@dataclass(frozen=True)
class Head:
    size_bytes: int
    etag: str


class Store(Protocol):
    async def presign_upload(
        self, key: str, *, content_type: str, max_bytes: int, expires_s: int
    ) -> Upload:
        """Credentials for one upload to `key`, bound to its type, its size and a time."""

    async def presign_download(
        self, key: str, *, filename: str, content_type: str, expires_s: int
    ) -> str:
        """A URL that gives the bytes, with Range, until it expires."""

    async def head(self, key: str) -> Head | None:
        """Size and tag of an object, None where there is none."""

    async def get(self, key: str) -> bytes | None:
        """A small object whole, None where there is none."""

    async def sha256(self, key: str) -> str | None:
        """The hash of an object's bytes, read to the end; None where there is none."""

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    async def close(self) -> None: ...


def open_store(settings: Settings) -> Store:
    """S3 where a bucket is configured, else the directory `home/objects`."""
    if settings.s3_bucket:
        return S3Store(settings)
    return DirectoryStore(
        settings.home.absolute() / "objects", settings.signing_secrets[0], settings.base_url
    )


class BadTicket(Exception):
    """A signed URL that is not ours, was changed, or has expired; `code` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DirectoryStore:
    """Plain files; URLs carry a signed ticket that says what may be done until when."""

    def __init__(self, root: Path, secret: bytes, base_url: str) -> None:
        self.root = root
        self.key = hashlib.sha256(b"cutroom-store:" + secret).digest()
        self.base_url = base_url

    async def presign_upload(
        self, key: str, *, content_type: str, max_bytes: int, expires_s: int
    ) -> Upload:
        expires = int(time.time()) + expires_s
        ticket = {"op": "put", "key": key, "type": content_type, "max": max_bytes, "exp": expires}
        return Upload(
            method="PUT",
            url=f"{self.base_url}/store/{self.sign(ticket)}",
            headers={"Content-Type": content_type},
            expires_at=datetime.fromtimestamp(expires, UTC),
            max_bytes=max_bytes,
        )

    async def presign_download(
        self, key: str, *, filename: str, content_type: str, expires_s: int
    ) -> str:
        ticket = {
            "op": "get", "key": key, "type": content_type, "name": filename,
            "exp": int(time.time()) + expires_s,
        }  # fmt: skip
        # Some players judge a file by its ending; nothing else reads it.
        ending = ENDING.search(filename)
        return f"{self.base_url}/store/{self.sign(ticket)}{ending[0] if ending else ''}"

    async def head(self, key: str) -> Head | None:
        try:
            stat = await asyncio.to_thread(self.path(key).stat)
        except FileNotFoundError:
            return None
        return Head(stat.st_size, f"{stat.st_mtime_ns:x}-{stat.st_size:x}")

    async def get(self, key: str) -> bytes | None:
        try:
            return await asyncio.to_thread(self.path(key).read_bytes)
        except FileNotFoundError:
            return None

    async def sha256(self, key: str) -> str | None:
        def read() -> str:
            with self.path(key).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()

        try:
            return await asyncio.to_thread(read)
        except FileNotFoundError:
            return None

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self.path(key).unlink, missing_ok=True)

    async def close(self) -> None:
        return None

    def path(self, key: str) -> Path:
        """The object's file; keys that would leave the directory are refused."""
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root.resolve()) or ".." in Path(key).parts:
            raise BadTicket("ticket_invalid")
        return path

    def sign(self, ticket: dict[str, Any]) -> str:
        body = base64.urlsafe_b64encode(json.dumps(ticket, separators=(",", ":")).encode())
        mac = hmac.digest(self.key, body, "sha256")
        return f"{body.decode().rstrip('=')}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    def read(self, text: str, operation: str) -> dict[str, Any]:
        """The ticket of a URL.

        Raises
        ------
        BadTicket
            `ticket_invalid`, or `ticket_expired` for one of ours that is too old.
        """
        body, mac = [*text.split("."), ""][:2]
        padded = (body + "=" * (-len(body) % 4)).encode()
        wanted = base64.urlsafe_b64encode(hmac.digest(self.key, padded, "sha256")).decode()
        if not hmac.compare_digest(wanted.rstrip("=").encode(), mac.encode()):
            raise BadTicket("ticket_invalid")
        ticket: dict[str, Any] = json.loads(base64.urlsafe_b64decode(padded))
        if ticket["op"] != operation:
            raise BadTicket("ticket_invalid")
        if ticket["exp"] <= time.time():
            raise BadTicket("ticket_expired")
        return ticket


class S3Store:
    """Any S3; uploads are presigned POSTs, because only they bound the size.

    What is larger than one request may be (5 GB on AWS) goes in parts, whose sum is checked before
    they are joined.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bucket = settings.s3_bucket
        self.stack = AsyncExitStack()
        self._client: Any = None

    async def client(self) -> Any:
        if self._client is None:
            from aiobotocore.config import AioConfig
            from aiobotocore.session import get_session

            config = AioConfig(
                signature_version="s3v4",
                s3={"addressing_style": "path" if self.settings.s3_endpoint_url else "auto"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            )
            self._client = await self.stack.enter_async_context(
                get_session().create_client(
                    "s3",
                    region_name=self.settings.s3_region,
                    endpoint_url=self.settings.s3_endpoint_url or None,
                    config=config,
                )
            )
        return self._client

    async def presign_upload(
        self, key: str, *, content_type: str, max_bytes: int, expires_s: int
    ) -> Upload:
        if max_bytes > PARTED_ABOVE_BYTES:
            return await self._presign_parts(key, content_type, max_bytes, expires_s)
        client = await self.client()
        post = await client.generate_presigned_post(
            self.bucket,
            key,
            Fields={"Content-Type": content_type},
            Conditions=[
                {"Content-Type": content_type},
                ["content-length-range", 0, max_bytes],
            ],
            ExpiresIn=expires_s,
        )
        return Upload(
            method="POST",
            url=post["url"],
            fields=post["fields"],
            expires_at=datetime.fromtimestamp(int(time.time()) + expires_s, UTC),
            max_bytes=max_bytes,
        )

    async def _presign_parts(
        self, key: str, content_type: str, size_bytes: int, expires_s: int
    ) -> PartedUpload:
        client = await self.client()
        begun = await client.create_multipart_upload(
            Bucket=self.bucket, Key=key, ContentType=content_type
        )
        session = str(begun["UploadId"])
        part_bytes = max(PART_BYTES, -(-size_bytes // MAX_PARTS))
        parts = []
        for number, first_byte in enumerate(range(0, size_bytes, part_bytes), 1):
            params = {
                "Bucket": self.bucket, "Key": key, "UploadId": session, "PartNumber": number,
            }  # fmt: skip
            url = await client.generate_presigned_url(
                "upload_part", Params=params, ExpiresIn=expires_s
            )
            size = min(part_bytes, size_bytes - first_byte)
            part = UploadPart(number=number, url=url, first_byte=first_byte, size_bytes=size)
            parts.append(part)
        return PartedUpload(
            method="PUT", url=None, parts=parts, session=session, max_bytes=size_bytes,
            expires_at=datetime.fromtimestamp(int(time.time()) + expires_s, UTC),
        )  # fmt: skip

    async def join(self, key: str, session: str, size_bytes: int) -> int | None:
        """Make one object of an upload's parts, if together they are this large.

        Returns how many bytes have arrived where they are not; None once there is nothing to join.
        """
        from botocore.exceptions import ClientError

        client = await self.client()
        upload = {"Bucket": self.bucket, "Key": key, "UploadId": session}
        try:
            pages = client.get_paginator("list_parts").paginate(**upload)
            parts = [part async for page in pages for part in page.get("Parts", [])]
            arrived = sum(part["Size"] for part in parts)
            if arrived != size_bytes:
                return int(arrived)
            named = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
            await client.complete_multipart_upload(**upload, MultipartUpload={"Parts": named})
        except ClientError as error:
            if not _is_missing(error):
                raise
        return None

    async def drop(self, key: str, session: str) -> None:
        """Forget the parts of an upload; one that was joined or dropped is no error."""
        from botocore.exceptions import ClientError

        client = await self.client()
        try:
            await client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=session)
        except ClientError as error:
            if not _is_missing(error):
                raise

    async def presign_download(
        self, key: str, *, filename: str, content_type: str, expires_s: int
    ) -> str:
        client = await self.client()
        params = {
            "Bucket": self.bucket,
            "Key": key,
            "ResponseContentType": content_type,
            "ResponseContentDisposition": disposition(filename),
        }
        return str(
            await client.generate_presigned_url("get_object", Params=params, ExpiresIn=expires_s)
        )

    async def head(self, key: str) -> Head | None:
        from botocore.exceptions import ClientError

        client = await self.client()
        try:
            found = await client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if not _is_missing(error):
                raise
            return None
        return Head(found["ContentLength"], found["ETag"].strip('"'))

    async def get(self, key: str) -> bytes | None:
        found = await self._open(key)
        if found is None:
            return None
        async with found as body:
            return bytes(await body.read())

    async def sha256(self, key: str) -> str | None:
        found = await self._open(key)
        if found is None:
            return None
        digest = hashlib.sha256()
        async with found as body:
            while chunk := await body.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    async def _open(self, key: str) -> Any:
        """The stream of an object's bytes, None where there is none."""
        from botocore.exceptions import ClientError

        client = await self.client()
        try:
            found = await client.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if not _is_missing(error):
                raise
            return None
        return found["Body"]

    async def delete(self, key: str) -> None:
        client = await self.client()
        await client.delete_object(Bucket=self.bucket, Key=key)

    async def close(self) -> None:
        await self.stack.aclose()
        self._client = None


def _is_missing(error: Any) -> bool:
    """Whether an S3 says that there is no such thing; each has its own name for it."""
    missing: bool = error.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    return missing


def disposition(filename: str) -> str:
    """`Content-Disposition` for any name (RFC 6266): plain ASCII, and the exact name encoded."""
    plain = "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\/%;' else "_" for c in filename
    )
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
