"""Settings: every knob from its variable, passed on whole, and refused when it cannot be meant."""

import stat
from dataclasses import fields
from pathlib import Path

import pytest

from control.settings import BadSetting, Settings


def test_every_knob_is_documented_and_has_a_variable_of_its_own():
    knobs = fields(Settings)
    assert all(knob.metadata["env"] and knob.metadata["why"] for knob in knobs)
    assert len({knob.metadata["env"] for knob in knobs}) == len(knobs)


def test_an_empty_environment_gives_the_defaults():
    assert Settings.from_environment({}) == Settings()
    assert Settings.from_environment({"CUTROOM_PORT": ""}).port == 8000


def test_variables_are_read_in_their_own_types():
    settings = Settings.from_environment(
        {
            "CUTROOM_PORT": "9000",
            "CUTROOM_HOME": "/var/lib/cutroom",
            "CUTROOM_SIGNUP": "open",
            "CUTROOM_CORS_ORIGINS": "https://a.example, https://b.example",
            "CUTROOM_ALLOW_PRIVATE_HOSTS": "yes",
            "CUTROOM_WEIGHT_HOOK": "2.5",
            "CUTROOM_LOUDNESS_LUFS": "-16",
        }
    )
    assert (settings.port, settings.home) == (9000, Path("/var/lib/cutroom"))
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert (settings.signup, settings.allow_private_hosts) == ("open", True)
    assert (settings.weights.hook, settings.weights.meaning) == (2.5, 1.5)
    assert settings.loudness.target_lufs == -16
    assert settings.ingest_limits.allow_private_hosts


def test_a_child_process_reads_the_same_settings():
    settings = Settings(
        port=9000, signup="closed", secrets=("a" * 32, "b" * 32), cors_origins=("https://a",),
        allow_private_hosts=True, weights=Settings().weights.model_copy(update={"hook": 0.0}),
    )  # fmt: skip
    assert Settings.from_environment(settings.as_environment()) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CUTROOM_PORT", "many"),
        ("CUTROOM_SIGNUP", "maybe"),
        ("CUTROOM_ALLOW_PRIVATE_HOSTS", "perhaps"),
        ("CUTROOM_SUBTITLE_PRESET", "wingdings"),
        ("CUTROOM_SUBTITLE_MIN_CONFIDENCE", "1.5"),
        ("CUTROOM_WEIGHT_HOOK", "-1"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(name, value):
    with pytest.raises(BadSetting, match="WEIGHT" if "WEIGHT" in name else name):
        Settings.from_environment({name: value})


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path):
    home = tmp_path / "home"
    made = Settings(home=home).signing_secrets
    assert Settings(home=home).signing_secrets == made
    assert len(made[0]) >= 32
    assert stat.S_IMODE((home / "secret").stat().st_mode) == 0o600


def test_a_secret_that_is_too_short_is_refused():
    with pytest.raises(BadSetting, match="32 bytes"):
        _ = Settings(secrets=("short",)).signing_secrets


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("media.lan", "http://media.lan:8000"),
    ],
)
def test_a_process_of_this_machine_knows_where_to_call(host, url):
    assert Settings(host=host).local_url == url
