"""Subtitle styles by name."""

from ray_jobs.contract.specs import SubtitleStyle

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
