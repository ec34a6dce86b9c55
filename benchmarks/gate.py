"""Right before fast: an op's own tests must be green before a figure of it is shown."""

import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from benchmarks.case import Case

ROOT = Path(__file__).parent.parent
TAIL_LINES = 15


class Verdict(NamedTuple):
    """Whether figures may be shown, and why not (or what was left unchecked)."""

    green: bool
    note: str = ""


def have_pytest() -> bool:
    return find_spec("pytest") is not None


@cache
def tests(paths: str) -> Verdict:
    """Run these test files. Nothing collected, or everything skipped, proves nothing: it is red."""
    missing = [path for path in paths.split() if not (ROOT / path.partition("::")[0]).exists()]
    if missing or not paths:
        return Verdict(green=False, note=f"no tests at {' '.join(missing) or '(none named)'}")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *paths.split()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = (done.stdout + done.stderr).strip().splitlines()
    if done.returncode:
        return Verdict(green=False, note="\n".join(["tests are red", *lines[-TAIL_LINES:]]))
    if not re.search(r"^[1-9]\d* passed", done.stdout, re.MULTILINE):
        return Verdict(green=False, note="no test ran: all were skipped")
    return Verdict(green=True)


def agreement(case: Case, *, tested: bool) -> Verdict:
    """Hold ours against the rivals once; without tests this is all that vouches for a case.

    Raises `ImportError` where neither can vouch for it, since what they need is missing.
    """
    if case.agree is None:
        return Verdict(tested, "" if tested else "its tests did not run and nothing else checks")
    try:
        case.agree()
    except AssertionError as error:
        return Verdict(green=False, note=f"ours and the rivals differ: {str(error).strip()}")
    except ImportError as error:
        if not tested:
            raise
        return Verdict(tested, f"not held against the rivals: {error}")
    return Verdict(green=True, note="" if tested else "its tests did not run: agreement only")
