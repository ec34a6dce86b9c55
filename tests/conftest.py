"""What every test may use: the shared recordings, where they are laid out."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rgw import Gateway, need_rgw, running_rgw

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


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """A Ceph RGW with the bucket `cutroom`; mark its tests `s3` and `xdist_group("rgw")`."""
    need_rgw()
    with running_rgw() as gateway:
        gateway.make_bucket("cutroom")
        yield gateway
