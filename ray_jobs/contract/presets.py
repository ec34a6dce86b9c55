"""Subtitle styles, renditions and platforms by name."""

from typing import Annotated, Any, Literal

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema
from pydantic_core.core_schema import (
    no_info_after_validator_function,
    plain_serializer_function_ser_schema,
)

from ray_jobs.contract.specs import Platform, Rendition, SafeArea, SubtitleStyle

SubtitlePreset = Literal["karaoke", "highlight", "pop", "box", "minimal"]
PlatformName = Literal["tiktok", "reels", "shorts", "youtube", "square", "portrait"]


class _Changes:
    """Of the fields of a subtitle style those that were sent."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(
            lambda style: style.model_dump(exclude_unset=True),
            handler.generate_schema(SubtitleStyle),
            serialization=plain_serializer_function_ser_schema(dict),
        )


StyleChanges = Annotated[dict[str, Any], _Changes()]
"""What shall be different from a preset."""

SUBTITLE_PRESETS: dict[str, SubtitleStyle] = {
    "karaoke": SubtitleStyle(),
    "highlight": SubtitleStyle(
        preset="highlight",
        animation="highlight",
        size=0.05,
        active_color="#34E27A",
        uppercase=True,
        max_chars_per_line=20,
    ),
    "pop": SubtitleStyle(
        preset="pop",
        animation="pop",
        size=0.055,
        outline=0.005,
        uppercase=True,
        max_chars_per_line=18,
    ),
    "box": SubtitleStyle(
        preset="box",
        animation="highlight",
        size=0.04,
        outline=0.0,
        box_color="#101418D0",
        margin=0.14,
    ),
    "minimal": SubtitleStyle(
        preset="minimal",
        animation="none",
        bold=False,
        size=0.034,
        outline=0.002,
        max_chars_per_line=36,
        margin=0.08,
    ),
}

RENDITIONS: dict[str, Rendition] = {
    "proxy": Rendition(name="proxy", height=540, crf=26, audio_bitrate_bps=128_000),
    "480p": Rendition(name="480p", height=480),
    "720p": Rendition(name="720p", height=720),
    "1080p": Rendition(name="1080p", height=1080),
    "mezzanine": Rendition(
        name="mezzanine", height=4320, crf=12, speed="fast", audio_bitrate_bps=320_000
    ),
}

# Bit rates are caps above what CRF 20 needs of most pictures: those YouTube names for uploads at
# 1080p and 60 Hz (support.google.com/youtube/answer/1722171), and as much where less is played.
# Safe areas: Reels as Meta's guide for advertisers has it (14 % above, 35 % below, 6 % beside);
# TikTok and Shorts as their players cover them: captions below, buttons to the right, a bar above.
# Loudness is what all of them play at: -14 LUFS, -1 dBTP.
PLATFORMS: dict[str, Platform] = {
    "tiktok": Platform(
        aspect="9:16", height=1920, max_bitrate_bps=12_000_000, max_rate_hz=60,
        max_duration_s=600, safe_area=SafeArea(left=0.06, top=0.1, right=0.12, bottom=0.2),
    ),
    "reels": Platform(
        aspect="9:16", height=1920, max_bitrate_bps=12_000_000, max_rate_hz=60,
        max_duration_s=180, safe_area=SafeArea(left=0.06, top=0.14, right=0.06, bottom=0.35),
    ),
    "shorts": Platform(
        aspect="9:16", height=1920, max_bitrate_bps=12_000_000, max_rate_hz=60,
        max_duration_s=180, safe_area=SafeArea(left=0.06, top=0.1, right=0.12, bottom=0.25),
    ),
    "youtube": Platform(
        aspect="16:9", height=1080, max_bitrate_bps=12_000_000, max_rate_hz=60,
        safe_area=SafeArea(left=0.05, top=0.05, right=0.05, bottom=0.05),
    ),
    "square": Platform(aspect="1:1", height=1080, max_bitrate_bps=8_000_000, max_rate_hz=60),
    "portrait": Platform(aspect="4:5", height=1350, max_bitrate_bps=8_000_000, max_rate_hz=60),
}  # fmt: skip
