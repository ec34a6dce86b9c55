"""Reads over HTTP: one row beside the least that could answer, a list beside its FastAPI twin.

A call is `REQUESTS` requests over `load.CONNECTIONS` kept-open connections, every server one
process. `python -m benchmarks.control.reads` prints rates, percentiles and the server's memory.
"""

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import httpx

from benchmarks.case import Call, Case, Rival
from benchmarks.control.load import Shot, fire
from benchmarks.control.stand import OURS, Stand, stand

TESTS = "tests/control/test_queries.py"
REQUESTS = 200
FEW, MANY = 1_000, 100_000
ROUNDS = 5
BARE, TWIN = "benchmarks.control.bare", "benchmarks.control.twin"


def cases(*, peers: bool) -> Iterator[Case]:
    """One row, a list of 50 with its total, and the same list where there are 100 times as many."""
    with stand() as built:
        few, many = built.project(FEW), built.project(MANY)
        ours, _ = built.start(*OURS)
        row = f"/v1/videos/{_video(built)}"
        yield Case(
            op="get", name="one row", size=1, unit="rows", run=_asking(built, ours, row),
            rivals={"bare": Rival(_asking(built, built.start(BARE)[0], row), 0.5)},
        )  # fmt: skip
        page, crowded = f"/v1/projects/{few}/videos", f"/v1/projects/{many}/videos"
        rivals, agree = {}, None
        if peers:
            twin, _ = built.start(TWIN)
            rivals["fastapi"] = Rival(_asking(built, twin, page), 3.0)
            agree = _same(built, page, ours, twin)
        yield Case(
            op="list", name="50 of 1,000", size=FEW, unit="rows", run=_asking(built, ours, page),
            rivals=rivals, agree=agree,
        )  # fmt: skip
        yield Case(
            op="list", name="50 of 100,000", size=MANY, unit="rows",
            run=_asking(built, ours, crowded),
            rivals={"50 of 1,000": Rival(_asking(built, ours, page), 0.9)},
        )  # fmt: skip


def _video(built: Stand) -> object:
    return built.query("SELECT id FROM videos LIMIT 1")[0][0]


def _asking(built: Stand, port: int, path: str) -> Call:
    return lambda: fire(Shot(port, path, built.headers), REQUESTS)


def _same(built: Stand, path: str, one: int, other: int) -> Callable[[], None]:
    def compare() -> None:
        answers = [
            httpx.get(f"http://127.0.0.1:{port}{path}", headers=built.headers).json()
            for port in (one, other)
        ]
        assert answers[0] == answers[1]

    return compare


def main() -> None:
    """Print every figure, servers asked in turns; a ratio is the median of `ROUNDS`."""
    with stand() as built:
        few, many = built.project(FEW), built.project(MANY)
        row = f"/v1/videos/{_video(built)}"
        page, crowded = f"/v1/projects/{few}/videos", f"/v1/projects/{many}/videos"
        ours, process = built.start(*OURS)
        bare, twin = built.start(BARE)[0], built.start(TWIN)[0]
        asked = {
            "row": (ours, row), "row, bare": (bare, row), "list": (ours, page),
            "list, twin": (twin, page), "list of 100,000": (ours, crowded),
        }  # fmt: skip
        took: dict[str, list[tuple[float, float, float]]] = {name: [] for name in asked}
        for _ in range(ROUNDS + 1):
            for name, (port, path) in asked.items():
                began_s = perf_counter()
                each_s = sorted(fire(Shot(port, path, built.headers), REQUESTS))
                rate = REQUESTS / (perf_counter() - began_s)
                took[name].append(
                    (rate, statistics.median(each_s), each_s[int(len(each_s) * 0.99)])
                )
        for name, rounds in took.items():
            rate, median_s, p99_s = (
                statistics.median(part) for part in zip(*rounds[1:], strict=True)
            )
            print(
                f"{name:16} {rate:7.0f}/s  p50 {median_s * 1e3:6.1f} ms  p99 {p99_s * 1e3:6.1f} ms"
            )
        for name, rival, part in (
            ("row", "row, bare", 0), ("list", "list, twin", 0), ("list of 100,000", "list", 0),
            ("list", "list, twin", 2),
        ):  # fmt: skip
            ratios = [a[part] / b[part] for a, b in zip(took[name], took[rival], strict=True)][1:]
            what = ("requests/s", "p50", "p99")[part]
            print(f"{name} : {rival}, {what}: {statistics.median(ratios):.2f}")
        resident_kib = int(_status(process.pid, "VmRSS").split()[0])
        print(f"HTTP worker: {resident_kib / 1024:.0f} MiB resident")


def _status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(name))


if __name__ == "__main__":
    main()
