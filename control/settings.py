# ruff: noqa: RUF009 - `knob` makes a dataclass field, which ruff cannot see
"""Every knob of the control plane, read once from the environment into one frozen object."""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from ray_jobs.contract import (
    SUBTITLE_PRESETS,
    Corner,
    Ducking,
    IngestLimits,
    Loudness,
    Placement,
    ScoreWeights,
    SpeechEndpoint,
    WriterEndpoint,
)

Signup = Literal["closed", "invited", "open"]
PaymentGateway = Literal["sandbox", "midtrans"]
MIN_SECRET_BYTES = 32
CONTENT_ADDRESSED = re.compile(r"orgs/[0-9a-f-]{36}/objects/[0-9a-f]{64}")


class BadSetting(Exception):
    """A variable of the environment has a value that cannot be meant."""


def knob(env: str, default: Any, why: str, unit: str = "") -> Any:
    """A field read from `env`; `why` and `unit` document it."""
    return field(default=default, metadata={"env": env, "unit": unit, "why": why})


@dataclass(frozen=True)
class Settings:
    """The control plane's configuration; see each field's metadata for its variable and reason."""

    home: Path = knob("CUTROOM_HOME", Path("cutroom-data"), "where embedded parts keep their state")
    host: str = knob("CUTROOM_HOST", "127.0.0.1", "address to listen on; loopback until told")
    port: int = knob("CUTROOM_PORT", 8000, "port to listen on")
    http_workers: int = knob("CUTROOM_HTTP_WORKERS", 1, "HTTP processes; one serves a small team")
    public_url: str = knob("CUTROOM_PUBLIC_URL", "", "how users reach us, for signed links")
    worker_url: str = knob(
        "CUTROOM_WORKER_URL", "", "how GPU nodes reach us, when not at the public address"
    )
    cors_origins: tuple[str, ...] = knob(
        "CUTROOM_CORS_ORIGINS", (), "sites whose pages may call the API, comma separated"
    )
    database_url: str = knob("DATABASE_URL", "", "PostgreSQL; empty starts an embedded one")
    database_pool: int = knob(
        "CUTROOM_DATABASE_POOL", 10, "connections per process; Postgres allows 100 in all"
    )
    s3_endpoint_url: str = knob("S3_ENDPOINT_URL", "", "S3 server of the bucket; empty is AWS")
    s3_bucket: str = knob("S3_BUCKET", "", "bucket of every object; empty keeps them in home")
    s3_region: str = knob("AWS_REGION", "us-east-1", "region that signatures name")
    ray_address: str = knob("RAY_ADDRESS", "", "Ray cluster; empty starts a local one")
    secrets: tuple[str, ...] = knob(
        "CUTROOM_SECRET",
        (),
        "signs tokens; comma separated, the first signs and all verify, so that it can rotate",
    )
    signup: Signup = knob(
        "CUTROOM_SIGNUP", "invited", "who may create an account after the first user"
    )
    access_token_s: int = knob(
        "CUTROOM_ACCESS_TOKEN_S", 3600, "a stolen access token dies with it", "s"
    )
    refresh_token_s: int = knob(
        "CUTROOM_REFRESH_TOKEN_S", 30 * 86400, "a month without signing in", "s"
    )
    invitation_s: int = knob("CUTROOM_INVITATION_S", 7 * 86400, "an invitation's life", "s")
    signin_free_tries: int = knob(
        "CUTROOM_SIGNIN_FREE_TRIES", 5, "failures before sign-in is slowed down"
    )
    signin_max_wait_s: int = knob(
        "CUTROOM_SIGNIN_MAX_WAIT_S", 900, "the back-off doubles up to this", "s"
    )
    rate_per_minute: int = knob(
        "CUTROOM_RATE_PER_MINUTE", 3000, "requests of one person; 0 is without limit", "1/min"
    )
    open_rate_per_minute: int = knob(
        "CUTROOM_OPEN_RATE_PER_MINUTE", 120, "requests without a token from one address", "1/min"
    )
    metrics_token: str = knob(
        "CUTROOM_METRICS_TOKEN", "", "lets a Prometheus read /metrics; administrators may anyway"
    )
    idempotency_s: int = knob("CUTROOM_IDEMPOTENCY_S", 86400, "how long a key is kept", "s")
    lease_s: float = knob("CUTROOM_LEASE_S", 60.0, "a silent worker is given up after this", "s")
    job_attempts: int = knob("CUTROOM_JOB_ATTEMPTS", 3, "attempts before a job is given up")
    job_max_s: float = knob(
        "CUTROOM_JOB_MAX_S", 48 * 3600.0, "an attempt that runs longer has hung, and fails", "s"
    )
    upload_s: int = knob("CUTROOM_UPLOAD_S", 3600, "how long an upload link works", "s")
    download_s: int = knob("CUTROOM_DOWNLOAD_S", 900, "how long a download link works", "s")
    play_s: int = knob(
        "CUTROOM_PLAY_S", 3600, "how long a playing link works beyond the recording's length", "s"
    )
    max_upload_bytes: int = knob("CUTROOM_MAX_UPLOAD_BYTES", 64 * 2**30, "largest file", "bytes")
    max_body_bytes: int = knob(
        "CUTROOM_MAX_BODY_BYTES", 16 * 2**20, "largest JSON body; a 12 h transcript fits", "bytes"
    )
    max_duration_s: float = knob("CUTROOM_MAX_DURATION_S", 12 * 3600.0, "longest recording", "s")
    allow_private_hosts: bool = knob(
        "CUTROOM_ALLOW_PRIVATE_HOSTS", False, "ingest from, and webhooks to, private addresses"
    )
    speech_engine: str = knob("CUTROOM_SPEECH_ENGINE", "auto", "auto, faster_whisper, pocketsphinx")
    speech_model: str = knob("CUTROOM_SPEECH_MODEL", "whisper-small", "name in models_cache")
    speaker_model: str = knob(
        "CUTROOM_SPEAKER_MODEL", "speaker-diarization-community-1", "name in models_cache"
    )
    subtitle_preset: str = knob("CUTROOM_SUBTITLE_PRESET", "karaoke", "style when none is named")
    subtitle_min_confidence: float = knob(
        "CUTROOM_SUBTITLE_MIN_CONFIDENCE", 0.2, "words of a rough engine below it are not shown"
    )
    loudness_lufs: float = knob(
        "CUTROOM_LOUDNESS_LUFS", -14.0, "what the large platforms play at", "LUFS"
    )
    true_peak_dbtp: float = knob(
        "CUTROOM_TRUE_PEAK_DBTP", -1.0, "headroom for lossy codecs, EBU R 128 s1", "dBTP"
    )
    tts_loudness_lufs: float = knob(
        "CUTROOM_TTS_LOUDNESS_LUFS", -16.0, "narrations and their mixes; AES TD1008 speech", "LUFS"
    )
    tts_voice: str = knob("CUTROOM_TTS_VOICE", "", "voice of narrations; empty is the language's")
    tts_url: str = knob(
        "CUTROOM_TTS_URL", "", "OpenAI-compatible API that speaks; empty is the embedded voice"
    )
    tts_model: str = knob(
        "CUTROOM_TTS_MODEL", "", "its model; its key is CUTROOM_TTS_KEY where the workers run"
    )
    duck_depth_db: float = knob(
        "CUTROOM_DUCK_DEPTH_DB", 12.0, "how far sound goes down under a narration at least", "dB"
    )
    llm_url: str = knob(
        "CUTROOM_LLM_URL", "", "OpenAI-compatible API that writes retellings and judges clips"
    )
    llm_model: str = knob(
        "CUTROOM_LLM_MODEL", "", "its model; its key is CUTROOM_LLM_KEY where the workers run"
    )
    brand_watermark_key: str = knob(
        "CUTROOM_BRAND_WATERMARK_KEY", "", "object laid over exports that name no brand kit"
    )
    brand_intro_key: str = knob("CUTROOM_BRAND_INTRO_KEY", "", "object played before such exports")
    brand_outro_key: str = knob("CUTROOM_BRAND_OUTRO_KEY", "", "object played after such exports")
    watermark_corner: Corner = knob(
        "CUTROOM_WATERMARK_CORNER", "top_right", "where platforms draw no buttons of their own"
    )
    watermark_width: float = knob(
        "CUTROOM_WATERMARK_WIDTH", 0.18, "share of the picture's shorter side"
    )
    watermark_margin: float = knob(
        "CUTROOM_WATERMARK_MARGIN", 0.04, "share of the picture's shorter side"
    )
    watermark_opacity: float = knob("CUTROOM_WATERMARK_OPACITY", 0.85, "0 to 1; 1 hides all below")
    payment_gateway: PaymentGateway = knob(
        "CUTROOM_PAYMENT_GATEWAY", "sandbox", "sandbox is embedded; midtrans takes real money"
    )
    midtrans_server_key: str = knob(
        "MIDTRANS_SERVER_KEY", "", "Midtrans's server key: asks Snap and verifies notifications"
    )
    midtrans_url: str = knob(
        "MIDTRANS_URL", "https://app.sandbox.midtrans.com", "Midtrans's Snap, sandbox or not"
    )
    weights: ScoreWeights = field(
        default_factory=ScoreWeights,
        metadata={"env": "CUTROOM_WEIGHT_<PART>", "unit": "", "why": "clip score weights"},
    )

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read every knob; a variable that is absent or empty keeps its default.

        Raises
        ------
        BadSetting
            naming the variable and what was wrong.
        """
        found: dict[str, Any] = {
            "weights": _checked("CUTROOM_WEIGHT_*", lambda: _weights(env)),
        }
        for knob_ in fields(cls):
            name = knob_.metadata["env"]
            if knob_.name not in found and env.get(name):
                value = env[name]
                found[knob_.name] = _checked(name, lambda k=knob_, v=value: _parse(k.type, v))
        settings = cls(**found)
        for key in ("watermark", "intro", "outro"):
            value = getattr(settings, f"brand_{key}_key")
            if value and not CONTENT_ADDRESSED.fullmatch(value):
                raise BadSetting(
                    f"CUTROOM_BRAND_{key.upper()}_KEY must be the content-addressed key of an "
                    "object, orgs/<id>/objects/<sha256>."
                )
        _checked("CUTROOM_WATERMARK_*", lambda: settings.placement)
        if settings.subtitle_preset not in SUBTITLE_PRESETS:
            raise BadSetting(f"CUTROOM_SUBTITLE_PRESET is none of {', '.join(SUBTITLE_PRESETS)}.")
        if not 0 <= settings.subtitle_min_confidence <= 1:
            raise BadSetting("CUTROOM_SUBTITLE_MIN_CONFIDENCE must be between 0 and 1.")
        return settings

    def as_environment(self) -> dict[str, str]:
        """The variables that make a child process read these same settings."""
        text: dict[str, str] = {}
        for knob_ in fields(self):
            value = getattr(self, knob_.name)
            if isinstance(value, ScoreWeights):
                text |= {f"CUTROOM_WEIGHT_{k.upper()}": str(v) for k, v in value}
            else:
                text[knob_.metadata["env"]] = (
                    ",".join(value) if isinstance(value, tuple) else str(value)
                )
        return {name: value for name, value in text.items() if value}

    @property
    def local_url(self) -> str:
        """Where a process of this machine reaches the server."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def base_url(self) -> str:
        """Where users reach the server."""
        return (self.public_url or self.local_url).rstrip("/")

    @property
    def report_base_url(self) -> str:
        """Where workers reach the server."""
        return (self.worker_url or self.base_url).rstrip("/")

    @property
    def loudness(self) -> Loudness:
        return Loudness(target_lufs=self.loudness_lufs, max_true_peak_dbtp=self.true_peak_dbtp)

    @property
    def placement(self) -> Placement:
        return Placement(
            corner=self.watermark_corner,
            width=self.watermark_width,
            margin=self.watermark_margin,
            opacity=self.watermark_opacity,
        )

    @property
    def tts_loudness(self) -> Loudness:
        return Loudness(target_lufs=self.tts_loudness_lufs, max_true_peak_dbtp=self.true_peak_dbtp)

    @property
    def ducking(self) -> Ducking:
        return Ducking(depth_db=self.duck_depth_db)

    @property
    def speaker(self) -> SpeechEndpoint | None:
        """Who speaks narrations; None is the embedded voice."""
        return SpeechEndpoint(url=self.tts_url, model=self.tts_model) if self.tts_url else None

    @property
    def writer(self) -> WriterEndpoint | None:
        """Who writes retellings and judges clips; None picks sentences of the transcript."""
        return WriterEndpoint(url=self.llm_url, model=self.llm_model) if self.llm_url else None

    @property
    def ingest_limits(self) -> IngestLimits:
        return IngestLimits(
            max_duration_s=self.max_duration_s,
            max_size_bytes=self.max_upload_bytes,
            allow_private_hosts=self.allow_private_hosts,
        )

    @cached_property
    def signing_secrets(self) -> tuple[bytes, ...]:
        """Keys of signatures, the signing one first; made once in `home` when none is set."""
        given = self.secrets or (_kept_secret(self.home / "secret"),)
        for secret in given:
            if len(secret.encode()) < MIN_SECRET_BYTES:
                raise BadSetting(f"CUTROOM_SECRET needs at least {MIN_SECRET_BYTES} bytes.")
        return tuple(secret.encode() for secret in given)


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))
    return path.read_text()


def _weights(env: Mapping[str, str]) -> ScoreWeights:
    names = {f"CUTROOM_WEIGHT_{part.upper()}": part for part in ScoreWeights.model_fields}
    return ScoreWeights(**{part: float(env[name]) for name, part in names.items() if env.get(name)})


def _checked(name: str, parse: Any) -> Any:
    try:
        return parse()
    except (ValueError, TypeError) as error:
        raise BadSetting(f"{name} cannot be read: {error}") from None


def _parse(kind: Any, text: str) -> Any:
    if kind is bool:
        if text.lower() not in {"1", "0", "true", "false", "yes", "no"}:
            raise ValueError(f"{text!r} is neither true nor false")
        return text.lower() in {"1", "true", "yes"}
    if kind in (int, float, str):
        return kind(text)
    if kind is Path:
        return Path(text)
    if kind in (Signup, PaymentGateway, Corner):
        if text not in get_args(kind):
            raise ValueError(f"{text!r} is none of {', '.join(get_args(kind))}")
        return text
    return tuple(part.strip() for part in text.split(",") if part.strip())
