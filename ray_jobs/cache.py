"""Content-addressed caches: objects on the node by sha256, finished steps in the store.

A step's output lies under `H(name, version, parameters, inputs)` in the organisation's namespace.
Its files are written first and `step.json` last, so a step is there whole or not at all, and any
node can take a job up where another left it.
"""

import hashlib
import json
import mimetypes
import os
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

from pydantic import BaseModel

from ray_jobs.contract import Json, ObjectRef, Plain, object_key
from ray_jobs.failures import Failure
from ray_jobs.storage import CHUNK_BYTES, Store, Tick, never

CONTENT_TYPES = {
    ".ass": "text/x-ssa; charset=utf-8",
    ".srt": "application/x-subrip; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".json": "application/json",
    ".otio": "application/json",
    ".edl": "text/plain; charset=utf-8",
    ".fcpxml": "application/xml",
    ".npz": "application/octet-stream",
    ".m4a": "audio/mp4",
    ".m3u8": "application/vnd.apple.mpegurl",
}


class StepRecord(Plain):
    """What `step.json` holds."""

    name: str
    version: int
    value: Json
    effective: dict[str, str]
    files: dict[str, ObjectRef]


def sha256_of(path: Path, tick: Tick = never) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            tick()
    return digest.hexdigest()


def content_type_of(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return CONTENT_TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def step_hash(name: str, version: int, params: BaseModel | Json, inputs: Sequence[str]) -> str:
    """Hash of all that decides a step's output; model fields are hashed by name and value."""
    plain = params.model_dump(mode="json") if isinstance(params, BaseModel) else params
    canonical = json.dumps(
        [name, version, plain, list(inputs)],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


class NodeCache:
    """Copies of objects on this node, verified when they arrive, evicted oldest first."""

    def __init__(
        self, directory: Path, store: Store, *, max_bytes: int, tick: Tick = never
    ) -> None:
        self.tick = tick
        self.directory = directory
        self.store = store
        self.max_bytes = max_bytes

    def fetch(self, ref: ObjectRef) -> Path:
        """Local copy of an object.

        Raises
        ------
        Failure
            `object_missing` where the store has no such object, `object_damaged` where its bytes
            are not the ones that were registered.
        """
        target = self.directory / ref.sha256[:2] / ref.sha256
        if target.exists() and target.stat().st_size == ref.size_bytes:
            os.utime(target)
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        self.evict(ref.size_bytes)
        temporary = target.with_name(f".{uuid4()}")
        try:
            if not self.store.get(ref.key, temporary):
                raise Failure("object_missing", f"The object {ref.key} is not in the store.")
            if sha256_of(temporary, self.tick) != ref.sha256:
                raise Failure(
                    "object_damaged", f"The object {ref.key} changed after it was stored."
                )
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return target

    def evict(self, incoming_bytes: int) -> None:
        """Remove the least recently used copies until `incoming_bytes` fit."""
        files = []
        for path in self.directory.glob("??/*"):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            files.append((stat.st_mtime, stat.st_size, path))
        excess = sum(size for _, size, _ in files) + incoming_bytes - self.max_bytes
        recent = time.time() - 3600
        for used_at, size, path in sorted(files):
            if excess <= 0 or used_at > recent:
                return
            path.unlink(missing_ok=True)
            excess -= size


class StepCache:
    """Finished steps of one organisation."""

    def __init__(self, organization_id: UUID, store: Store, node: NodeCache) -> None:
        self.organization_id = organization_id
        self.store = store
        self.node = node

    def load(self, name: str, key_hash: str, scratch: Path) -> StepRecord | None:
        local = scratch / f"{uuid4()}.json"
        if not self.store.get(self._key(name, key_hash, "step.json"), local):
            return None
        record = StepRecord.model_validate_json(local.read_bytes())
        complete = all(self.store.head(ref.key) == ref.size_bytes for ref in record.files.values())
        return record if complete else None

    def save(
        self,
        name: str,
        version: int,
        key_hash: str,
        directory: Path,
        value: Json,
        effective: dict[str, str],
    ) -> StepRecord:
        files = {}
        for path in sorted(p for p in directory.iterdir() if p.is_file()):
            ref = ObjectRef(
                key=self._key(name, key_hash, path.name),
                sha256=sha256_of(path, self.node.tick),
                size_bytes=path.stat().st_size,
                content_type=content_type_of(path.name),
            )
            self.store.put(path, ref.key, ref.content_type)
            files[path.name] = ref
        record = StepRecord(
            name=name, version=version, value=value, effective=effective, files=files
        )
        manifest = directory / ".step.json"
        manifest.write_text(record.model_dump_json())
        self.store.put(manifest, self._key(name, key_hash, "step.json"), "application/json")
        return record

    def adopt(self, path: Path, content_type: str) -> ObjectRef:
        """Store a file under its own hash."""
        digest = sha256_of(path, self.node.tick)
        ref = ObjectRef(
            key=object_key(self.organization_id, "objects", digest),
            sha256=digest,
            size_bytes=path.stat().st_size,
            content_type=content_type,
        )
        if self.store.head(ref.key) != ref.size_bytes:
            self.store.put(path, ref.key, content_type)
        return ref

    def _key(self, name: str, key_hash: str, file: str) -> str:
        return object_key(self.organization_id, "steps", name, key_hash, file)
