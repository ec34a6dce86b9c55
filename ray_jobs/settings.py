"""What a worker node needs to know: where the objects are and where to keep copies."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

Decoder = Literal["auto", "dali", "pyav"]


@dataclass(frozen=True)
class WorkerSettings:
    """Read once per cluster; everything that changes a job's outcome is in its spec instead."""

    store_url: str
    """`file:///directory` or `s3://bucket`; S3 credentials come from the `AWS_*` environment."""
    cache_dir: Path
    """Node-local copies of objects, keyed by sha256; may be deleted at any time."""
    cache_max_bytes: int = 50 * 2**30
    s3_endpoint_url: str | None = None
    decoder: Decoder = "auto"
    """Which library decodes for analysis; "auto" takes DALI where there is NVDEC, else PyAV."""

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> "WorkerSettings":
        """Raise `ValueError` without `S3_BUCKET` and `CUTROOM_HOME`, or for a decoder unknown."""
        home = env.get("CUTROOM_HOME")
        if bucket := env.get("S3_BUCKET"):
            store_url = f"s3://{bucket}"
        elif home:
            store_url = (Path(home).absolute() / "objects").as_uri()
        else:
            raise ValueError("set S3_BUCKET (any S3) or CUTROOM_HOME (a shared directory)")
        decoder = env.get("CUTROOM_DECODER", "auto")
        if decoder not in get_args(Decoder):
            raise ValueError(f"CUTROOM_DECODER must be one of {', '.join(get_args(Decoder))}")
        cache = env.get("CUTROOM_CACHE_DIR")
        default = Path(home) / "cache" if home else Path(tempfile.gettempdir()) / "cutroom-cache"
        return cls(
            store_url=store_url,
            cache_dir=Path(cache) if cache else default.absolute(),
            cache_max_bytes=int(env.get("CUTROOM_CACHE_MAX_BYTES", 50 * 2**30)),
            s3_endpoint_url=env.get("S3_ENDPOINT_URL"),
            decoder=cast("Decoder", decoder),
        )
