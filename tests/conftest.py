"""What every test may use: the shared recordings, where they are laid out."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real recordings with ground truth; without it the test is skipped loudly."""
    folder = Path(os.environ.get("CUTROOM_MEDIA", ROOT.parent / "shared" / "media"))
    if not folder.is_dir():
        if os.environ.get("CUTROOM_REQUIRE_MEDIA"):
            pytest.fail(f"CUTROOM_REQUIRE_MEDIA is set and {folder} is missing")
        pytest.skip(f"no recordings at {folder}; set CUTROOM_MEDIA")
    return folder
