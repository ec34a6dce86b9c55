"""The object store as the control plane sees it: signed URLs, sizes, and nothing of the bytes.

Two stores behind one interface: any S3, or a directory whose signed URLs `control.store` serves.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from pydantic import BaseModel

from control.settings import Settings


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
    from control.store.directory import DirectoryStore
    from control.store.s3 import S3Store

    if settings.s3_bucket:
        return S3Store(settings)
    return DirectoryStore(
        settings.home.absolute() / "objects", settings.signing_secrets[0], settings.base_url
    )


def disposition(filename: str) -> str:
    """`Content-Disposition` for any name (RFC 6266): plain ASCII, and the exact name encoded."""
    plain = "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\/%;' else "_" for c in filename
    )
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
