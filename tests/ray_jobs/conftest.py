"""A job run without a cluster: a directory as object store, reports kept in a list."""

import itertools
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ray_jobs.contract import Directive, Export, IngestLimits, Order, Report, Source
from ray_jobs.export import export
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.media.probe import probe
from ray_jobs.run import JobRun
from ray_jobs.settings import WorkerSettings
from tests.ray_jobs import letters
from tests.ray_jobs.chat import chatting
from tests.ray_jobs.clips.conftest import OBJECT, VIDEO_ID
from tests.ray_jobs.films import COUNTED, SPEECHLIKE, clip

ORGANIZATION = UUID("11111111-1111-4111-8111-111111111111")


class Notebook:
    """A line to nobody: remembers reports and answers with the directive a test has set."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.directive = Directive.CONTINUE

    def send(self, report: Report, *, patience_s: float) -> Directive:
        self.reports.append(report)
        return self.directive


@pytest.fixture
def settings(tmp_path: Path) -> WorkerSettings:
    (tmp_path / "objects").mkdir()
    return WorkerSettings(store_url=(tmp_path / "objects").as_uri(), cache_dir=tmp_path / "cache")


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def order() -> Callable[..., Order]:
    def make(spec, attempt: int = 1) -> Order:
        return Order(
            job_id=uuid4(),
            organization_id=ORGANIZATION,
            attempt=attempt,
            lease_s=30,
            report_url="http://127.0.0.1:9/unused",
            worker_token="unused",
            spec=spec,
        )

    return make


@pytest.fixture
def job_run(settings, notebook, order, tmp_path) -> Iterator[Callable[..., JobRun]]:
    """`job_run(spec)` gives a run on an empty store; call it again for a second attempt."""
    runs: list[JobRun] = []

    def make(spec, attempt: int = 1) -> JobRun:
        workdir = tmp_path / f"work-{len(runs)}"
        workdir.mkdir()
        run = JobRun(order(spec, attempt), settings, notebook, workdir)
        run.reporter.start()
        runs.append(run)
        return run

    yield make
    for run in runs:
        run.reporter.close()


@pytest.fixture
def chat():
    """The address of a chat endpoint; `Chat.answers` are its answers."""
    with chatting() as endpoint:
        yield endpoint


@pytest.fixture
def recorded(job_run, tmp_path):
    """`recorded(video, sound)` stores a film of these ffmpeg sources and gives its Source."""
    count = itertools.count()

    def make(video=COUNTED, sound=SPEECHLIKE) -> Source:
        path = tmp_path / f"film-{next(count)}.mkv"
        inputs = [["-f", "lavfi", "-i", s] for s in (video, sound) if s]
        codecs = ["-c:v", "libx264", "-qp", "0", "-bf", "2", "-g", "40", "-preset", "ultrafast"]
        ffmpeg([*chain(*inputs), *(codecs if video else []), "-c:a", "flac", str(path)])
        media = probe(path, IngestLimits())
        blank = Export(
            source=Source(video_id=VIDEO_ID, object=OBJECT, media=media),
            clips=[clip()],
        )
        ref = job_run(blank).adopt(path, "video/x-matroska")
        return Source(video_id=VIDEO_ID, object=ref, media=media)

    return make


@pytest.fixture
def delivered(job_run, tmp_path):
    """`delivered(source, clip, **more)` exports one clip; gives the run, the result, the file."""

    def make(source, cut, **more):
        wanted = {"height": 180, "aspect": "source", "speed": "ultrafast", "crf": 12} | more
        spec = Export(source=source, clips=[cut], **wanted)
        run = job_run(spec)
        (made,) = export(run, spec).deliverables
        return run, made, run.fetch(made.video.object)

    return make


@pytest.fixture(scope="session")
def tiny_aligners(tmp_path_factory) -> Path:
    """A folder of models: `aligner-tones` hears letters in tones, `aligner-random` nothing."""
    models = tmp_path_factory.mktemp("aligners")
    letters.save(models / "aligner-tones")
    letters.save(models / "aligner-random", taught=False, language="eo")
    return models


@pytest.fixture
def tones(tiny_aligners, monkeypatch) -> Path:
    """The aligner that hears tones, where models are looked for."""
    monkeypatch.setenv("CUTROOM_MODELS", str(tiny_aligners))
    return tiny_aligners / "aligner-tones"
