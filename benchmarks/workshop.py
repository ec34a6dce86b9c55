"""Jobs run where one stands, without a server: a directory as object store, nobody to report to."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from ray_jobs.contract import (
    ClipCut,
    Deliverable,
    Directive,
    Export,
    IngestLimits,
    Order,
    Report,
    Source,
)
from ray_jobs.media.probe import probe
from ray_jobs.run import JobRun
from ray_jobs.settings import WorkerSettings

ID = UUID("22222222-2222-4222-8222-222222222222")
ORGANIZATION = UUID("11111111-1111-4111-8111-111111111111")
LEASE_S = 3600


class Nobody:
    """A line that hears nothing and says: go on."""

    def send(self, report: Report, *, patience_s: float) -> Directive:  # noqa: ARG002
        return Directive.CONTINUE


@dataclass
class Workshop:
    """A store of its own below `folder`; what one job leaves there the next one finds."""

    folder: Path
    runs: list[JobRun] = field(default_factory=list)

    def run(self, spec: Any) -> JobRun:
        workdir = Path(tempfile.mkdtemp(dir=self.folder, prefix="work-"))
        objects = self.folder / "objects"
        objects.mkdir(exist_ok=True)
        settings = WorkerSettings(objects.as_uri(), cache_dir=self.folder / "cache")
        order = Order(
            job_id=uuid4(), organization_id=ORGANIZATION, attempt=1, lease_s=LEASE_S,
            report_url="http://127.0.0.1:9/nobody", worker_token="none", spec=spec,
        )  # fmt: skip
        run = JobRun(order, settings, Nobody(), workdir)
        run.reporter.start()
        self.runs.append(run)
        return run

    def source(self, path: Path) -> Source:
        """Store a recording as ingest would."""
        media = probe(path, IngestLimits())
        nothing = {"key": "orgs/x/none", "sha256": "0" * 64, "size_bytes": 1, "content_type": "x/y"}
        source = Source(video_id=ID, object=nothing, media=media)  # type: ignore[arg-type]
        clip = ClipCut(clip_id=ID, rank=1, title="", start_s=0.0, end_s=1.0)
        ref = self.run(Export(source=source, clips=[clip])).adopt(path, "application/octet-stream")
        return source.model_copy(update={"object": ref})

    def export(
        self, source: Source, start_s: float, end_s: float, *, clip: Any = None, **wanted: Any
    ) -> tuple[Deliverable, Path]:
        """Cut one clip out; the deliverable and its file. `clip` adds to what the cut says."""
        from ray_jobs.export import export

        said = {"clip_id": ID, "rank": 1, "title": "A clip", "start_s": start_s, "end_s": end_s}
        cut = ClipCut(**(said | (clip or {})))
        spec = Export(source=source, clips=[cut], encoder="x264", **wanted)
        run = self.run(spec)
        (made,) = export(run, spec).deliverables
        return made, run.fetch(made.video.object)


@contextmanager
def workshop() -> Iterator[Workshop]:
    with tempfile.TemporaryDirectory(prefix="cutroom-bench-") as name:
        shop = Workshop(Path(name))
        try:
            yield shop
        finally:
            for run in shop.runs:
                run.reporter.close()
