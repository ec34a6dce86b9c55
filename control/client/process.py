"""`cutroom process`: a recording in, a folder of clips out, all through the public API."""

import hashlib
import json
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from control.client.api import Api, ApiFailure, Json
from control.client.sheet import contact_sheet

PROJECT = "cutroom process"
CONTENT_TYPE = "application/octet-stream"
TRANSCRIPT_FORMATS = {".srt": "srt", ".vtt": "vtt", ".json": "json", ".txt": "text"}


class Bars(Protocol):
    """Where progress goes: a named bar, from 0 to 1, with a word on what is happening."""

    def show(self, name: str, share: float, word: str = "") -> None: ...


@dataclass(frozen=True)
class Wanted:
    """What the user asked for."""

    clips: int = 5
    tighten: bool = False
    aspect: str = "9:16"
    height: int = 1920
    style: str | None = None
    transcript: Path | None = None
    language: str | None = None


@dataclass
class Processing:
    """One recording on its way through the server."""

    api: Api
    source: Path
    out: Path
    wanted: Wanted
    bars: Bars
    jobs: list[Json] = field(default_factory=list)

    def run(self) -> Json:
        """Do everything, write everything, return the report.

        Raises
        ------
        ApiFailure
            with the server's own words where it refuses or a job fails.
        """
        started = time.monotonic()
        self.out.mkdir(parents=True, exist_ok=True)
        video = self.ingest()
        transcript = self.transcribe(video)
        clips = self.find_clips(video)
        deliverables = self.export(video, clips) if clips else {}
        report = self.report(video, transcript, clips, deliverables, time.monotonic() - started)
        features = json.loads(self.fetch_one(f"/v1/videos/{video['id']}/artifacts", "features"))
        write(self.out / "report.json", json.dumps(report, indent=2, ensure_ascii=False))
        write(self.out / "index.html", contact_sheet(report, features))
        return report

    def ingest(self) -> Json:
        """Upload the file, unless the organisation has these bytes already."""
        digest, size = sha256_of(self.source), self.source.stat().st_size
        project = self.project()
        known = [
            v for v in self.api.items(f"/v1/projects/{project['id']}/videos")
            if v["sha256"] == digest and v["status"] != "failed"
        ]  # fmt: skip
        if known:
            self.note(self.api.get(f"/v1/jobs/{known[0]['ingest_job_id']}"), cached=True)
            return known[0]
        answer = self.api.post(
            "/v1/videos:ingest",
            {
                "project_id": project["id"],
                "source": "upload",
                "filename": printable(self.source.name),
                "size_bytes": size,
                "content_type": CONTENT_TYPE,
                "sha256": digest,
            },
        )
        video_id = answer["video"]["id"]
        self.api.upload(
            answer["upload"], self.source, lambda share: self.bars.show("upload", share)
        )
        self.finish(self.api.post(f"/v1/videos/{video_id}:complete-upload"))
        return dict(self.api.get(f"/v1/videos/{video_id}"))

    def project(self) -> Json:
        for project in self.api.items("/v1/projects"):
            if project["name"] == PROJECT:
                return project
        return dict(self.api.post("/v1/projects", {"name": PROJECT}))

    def transcribe(self, video: Json) -> Json:
        body: Json = {}
        if self.wanted.language:
            body["language"] = self.wanted.language
        if path := self.wanted.transcript:
            form = TRANSCRIPT_FORMATS.get(path.suffix.lower(), "text")
            text = path.read_text(encoding="utf-8-sig", errors="replace")
            body["given"] = {"format": form, "text": text}
        job = self.finish(self.api.post(f"/v1/videos/{video['id']}/transcripts", body))
        for form in ("json", "srt", "vtt"):
            content = self.artifact(job, f"transcript_{form}")
            self.api.download(content["download_url"], self.out / f"transcript.{form}")
        result: Json = job["result"]
        return result

    def find_clips(self, video: Json) -> list[Json]:
        body = {"max_clips": self.wanted.clips, "tighten": self.wanted.tighten}
        job = self.finish(self.api.post(f"/v1/videos/{video['id']}/generate-clips", body))
        self.candidates = int(job["result"]["candidates"])
        return sorted(job["result"]["clips"], key=lambda clip: clip["rank"])

    def export(self, video: Json, clips: list[Json]) -> dict[str, Json]:
        """Style every clip, export them all, download what came out; deliverables by clip id."""
        ids = [clip["clip_id"] for clip in clips]
        look = {"aspect": self.wanted.aspect, "height": self.wanted.height}
        style = look | ({"preset": self.wanted.style} if self.wanted.style else {})
        if video["height"]:
            styling = [self.api.post(f"/v1/clips/{i}/subtitles:style", style) for i in ids]
            for job in styling:
                self.finish(job)
        body = look | {"clip_ids": ids}
        job = self.finish(self.api.post(f"/v1/projects/{video['project_id']}/export", body))
        deliverables = {d["clip_id"]: d for d in job["result"]["deliverables"]}
        for clip in clips:
            self.fetch_clip(clip, deliverables[clip["clip_id"]])
        return deliverables

    def fetch_clip(self, clip: Json, deliverable: Json) -> None:
        produced = {
            a["sha256"]: a for a in self.api.items(f"/v1/clips/{clip['clip_id']}/artifacts")
        }
        files = [deliverable["video"], *deliverable["subtitles"]]
        for number, artifact in enumerate(files):
            target = self.out / f"{stem(clip)}{Path(artifact['filename']).suffix}"
            self.api.download(produced[artifact["object"]["sha256"]]["download_url"], target)
            self.bars.show("download", (number + 1) / len(files), target.name)

    def finish(self, job: Json) -> Json:
        """Follow a job to its end on a bar of its own."""
        name = job["kind"]

        def show(state: Json) -> None:
            self.bars.show(name, state["progress"], state.get("step") or state["state"])

        done = self.api.follow(job, show)
        self.bars.show(name, 1.0, "cached" if done["cached"] else "done")
        self.note(done, cached=bool(done["cached"] or job.get("deduplicated")))
        return done

    def note(self, job: Json, *, cached: bool) -> None:
        effective = job["effective"]
        self.jobs.append(
            {
                "kind": job["kind"],
                "id": job["id"],
                "attempts": job["attempt"],
                "wait_s": job["wait_s"],
                "run_s": job["run_s"],
                "cached": cached,
                "engine": effective.get("speech"),
                **{key: effective.get(key) for key in ("decoder", "encoder", "faces", "letters")},
            }
        )

    def artifact(self, job: Json, kind: str) -> Json:
        path = f"/v1/videos/{job['video_id']}/artifacts"
        wanted = {a["object"]["sha256"] for a in job["result"]["artifacts"] if a["kind"] == kind}
        for artifact in self.api.items(path, kind=kind):
            if artifact["sha256"] in wanted:
                return artifact
        raise ApiFailure(f"the server has no {kind} of {self.source.name}")

    def fetch_one(self, path: str, kind: str) -> str:
        for artifact in self.api.items(path, kind=kind):
            target = self.out / f"{kind}.json"
            self.api.download(artifact["download_url"], target)
            return target.read_text()
        return "{}"

    def report(
        self,
        video: Json,
        transcript: Json,
        clips: list[Json],
        deliverables: dict[str, Json],
        wall_s: float,
    ) -> Json:
        words = [word for segment in transcript["segments"] for word in segment["words"]]
        return {
            "cutroom_version": version("cutroom"),
            "source": {
                "path": printable(self.source),
                "sha256": video["sha256"],
                **video["media"],
            },
            "transcript": {
                "engine": transcript["engine"],
                "language": transcript["language"],
                "words": len(words),
                "interpolated": sum(word["interpolated"] for word in words),
                "given": transcript["given"],
                "rough": transcript["rough"],
                "note": transcript["note"],
            },
            "clips": [_clip(clip, deliverables[clip["clip_id"]]) for clip in clips],
            "candidates": self.candidates,
            "jobs": self.jobs,
            "wall_s": round(wall_s, 3),
            "realtime_factor": round(wall_s / max(video["duration_s"], 1e-3), 3),
        }

    candidates: int = 0


def _clip(clip: Json, made: Json) -> Json:
    kinds = {artifact["kind"].removeprefix("subtitles_") for artifact in made["subtitles"]}
    return {
        **{k: clip[k] for k in ("rank", "start_s", "end_s", "score", "parts", "title", "text")},
        "subject": clip["subject"],
        "file": f"{stem(clip)}.mp4",
        "subtitles": {kind: f"{stem(clip)}.{kind}" for kind in sorted(kinds)},
        **{
            k: made[k]
            for k in (
                "width",
                "height",
                "duration_s",
                "loudness_lufs",
                "true_peak_dbtp",
                "findings",
            )
        },
    }


def stem(clip: Json) -> str:
    return f"clip-{clip['rank']:02d}"


def printable(name: object) -> str:
    """A path as text that any encoder takes: bytes of a name that are no UTF-8 become `?`."""
    return str(name).encode("utf-8", "replace").decode()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
