"""One attempt: steps are done once, progress never goes back, control is obeyed."""

import json
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pytest

from ray_jobs.contract import (
    Directive,
    FindClips,
    MediaInfo,
    ObjectRef,
    Report,
    ReportState,
    Source,
    Transcribed,
)
from ray_jobs.failures import Cancelled, Failure, Paused, Superseded
from ray_jobs.media.ffmpeg import ffmpeg
from ray_jobs.report import Reporter
from ray_jobs.run import execute

VIDEO = "22222222-2222-4222-8222-222222222222"
DONE = Transcribed(
    engine="none", language="en", given=False, rough=False, segments=[], artifacts=[]
)


@pytest.fixture
def spec() -> FindClips:
    source = ObjectRef(key="orgs/x/objects/y", sha256="0" * 64, size_bytes=1, content_type="x/y")
    return FindClips(
        source=Source(video_id=VIDEO, object=source, media=MediaInfo(container="mp4", duration_s=1))
    )


def double(directory: Path) -> dict:
    (directory / "twice.txt").write_text("2")
    return {"answer": 2}


class TestStep:
    def test_is_done_once_for_the_same_work(self, job_run, spec):
        first = job_run(spec).step("double", double, version=1, params={}, inputs=["a"])
        again = job_run(spec).step("double", pytest.fail, version=1, params={}, inputs=["a"])
        assert (first.cached, again.cached) == (False, True)
        assert again.value == {"answer": 2}
        assert again.path("twice.txt").read_text() == "2"

    @pytest.mark.parametrize("changed", [{"version": 2}, {"params": {"x": 1}}, {"inputs": ["b"]}])
    def test_is_done_again_when_anything_it_depends_on_changed(self, job_run, spec, changed):
        same = {"version": 1, "params": {}, "inputs": ["a"]}
        job_run(spec).step("double", double, **same)
        assert not job_run(spec).step("double", double, **(same | changed)).cached

    def test_that_failed_leaves_nothing_behind(self, job_run, spec):
        def fail(directory: Path) -> dict:
            (directory / "half.txt").write_text("half")
            raise Failure("encode_failed", "stopped half-way")

        run = job_run(spec)
        with pytest.raises(Failure):
            run.step("double", fail, version=1, params={}, inputs=["a"])
        assert not job_run(spec).step("double", double, version=1, params={}, inputs=["a"]).cached
        assert list(run.workdir.iterdir()) == [] or all(
            p.suffix == ".json" for p in run.workdir.iterdir()
        )

    def test_whose_file_was_lost_is_done_again(self, job_run, spec, tmp_path):
        step = job_run(spec).step("double", double, version=1, params={}, inputs=["a"])
        (tmp_path / "objects" / step.ref("twice.txt").key).unlink()
        assert not job_run(spec).step("double", double, version=1, params={}, inputs=["a"]).cached

    def test_restores_what_really_ran_on_a_cache_hit(self, job_run, spec):
        def work(_directory: Path) -> dict:
            run.used(decoder="cpu (no NVDEC)")
            return {}

        run = job_run(spec)
        run.step("decode", work, version=1, params={}, inputs=[])
        second = job_run(spec)
        second.step("decode", pytest.fail, version=1, params={}, inputs=[])
        assert second.effective == {"decoder": "cpu (no NVDEC)"}

    def test_refuses_a_value_that_json_cannot_say(self, job_run, spec):
        with pytest.raises(ValueError, match="JSON compliant"):
            job_run(spec).step("double", double, version=1, params={"x": float("nan")}, inputs=[])


class TestFetch:
    def test_refuses_bytes_that_changed_after_they_were_registered(self, job_run, spec, tmp_path):
        run = job_run(spec)
        path = tmp_path / "a.txt"
        path.write_text("right")
        ref = run.adopt(path, "text/plain")
        (tmp_path / "objects" / ref.key).write_text("wrong")
        with pytest.raises(Failure, match="object_damaged"):
            run.fetch(ref)

    def test_says_which_object_is_missing(self, job_run, spec):
        ref = ObjectRef(key="orgs/x/none", sha256="1" * 64, size_bytes=1, content_type="x/y")
        with pytest.raises(Failure, match="object_missing"):
            job_run(spec).fetch(ref)


class TestDirectives:
    def test_cancel_stops_the_work_and_kills_its_ffmpeg(self, job_run, spec, notebook):
        run = job_run(spec)
        encoding = Event()

        def watch(fraction: float) -> None:
            encoding.set()
            run.progress(fraction)

        def cancel_when_encoding() -> None:
            encoding.wait()
            notebook.directive = Directive.CANCEL

        Thread(target=cancel_when_encoding).start()
        endless = ["-re", "-f", "lavfi", "-i", "testsrc=size=64x64", "-f", "null", "-"]
        with pytest.raises(Cancelled):
            ffmpeg(endless, progress=watch)

    def test_pause_waits_for_the_next_step(self, job_run, spec):
        run = job_run(spec)

        def work(_directory: Path) -> dict:
            run.reporter.directive = Directive.PAUSE
            run.progress(0.5)
            return {"kept": True}

        assert run.step("one", work, version=1, params={}, inputs=[]).value == {"kept": True}
        run.reporter.directive = Directive.PAUSE
        with pytest.raises(Paused):
            run.step("two", work, version=1, params={}, inputs=[])


class TestExecute:
    def ending(self, order, spec, settings, notebook, work):
        state = execute(order(spec), work, settings, line=notebook)
        return state, notebook.reports[-1]

    def test_reports_the_result_last_and_progress_never_goes_back(
        self, order, spec, settings, notebook
    ):
        def work(run, _spec):
            run.plan(2)
            run.step("one", double, version=1, params={}, inputs=[])
            run.step("two", double, version=1, params={}, inputs=[])
            return DONE

        state, last = self.ending(order, spec, settings, notebook, work)
        shares = [report.progress for report in notebook.reports]
        assert (state, last.state, last.progress) == ("succeeded", "succeeded", 1.0)
        assert last.result == DONE
        assert shares == sorted(shares)
        assert [r.seq for r in notebook.reports] == list(range(1, len(shares) + 1))

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (Failure("corrupt_media", "no frame decodes"), "corrupt_media"),
            (MemoryError(), "out_of_memory"),
            (OSError(28, "No space left on device"), "no_space"),
            (ZeroDivisionError("secret"), "internal_error"),
        ],
    )
    def test_turns_every_exception_into_a_coded_problem(
        self, order, spec, settings, notebook, error, code
    ):
        def work(_run, _spec):
            raise error

        state, last = self.ending(order, spec, settings, notebook, work)
        assert (state, last.problem.code) == ("failed", code)
        assert "secret" not in json.dumps(last.model_dump(mode="json"))

    def test_a_superseded_attempt_says_nothing_more(self, order, spec, settings):
        class Stale:
            sent = 0

            def send(self, _report, *, patience_s):
                self.sent += 1
                raise Superseded

        def work(run, _spec):
            while True:
                run.check()

        line = Stale()
        assert execute(order(spec), work, settings, line=line) is ReportState.CANCELLED
        assert line.sent == 1

    def test_nothing_is_reported_after_the_ending_was_numbered(self, notebook):
        """Control takes no report older than its newest: a late one would lose the result."""
        numbers = count(1)

        def report(state="running") -> Report:
            return Report(attempt=1, seq=next(numbers), state=state, progress=0.0)

        reporter = Reporter(notebook, report, lease_s=0.03)
        reporter.start()

        def ending() -> Report:
            last = report("cancelled")
            reporter.changed()
            Event().wait(0.1)
            return last

        reporter.last_word(ending)
        seqs = [sent.seq for sent in notebook.reports]
        assert seqs == sorted(seqs)
        assert notebook.reports[-1].state == "cancelled"
