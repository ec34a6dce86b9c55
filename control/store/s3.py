"""Objects in any S3, large uploads in parts."""

import hashlib
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from control.settings import Settings
from control.storage import Head, PartedUpload, Upload, UploadPart, disposition

CHUNK_BYTES = 1 << 20
PARTED_ABOVE_BYTES = 4 << 30
PART_BYTES, MAX_PARTS = 128 << 20, 1000


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
