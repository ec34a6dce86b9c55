"""Objects as plain files, for a server without an S3."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from control.storage import Head, Upload

ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}$")


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
