"""Subtitle styles and renditions by name."""

from ray_jobs.contract.specs import Rendition, SubtitleStyle

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
