"""A clip's film: its picture with what comes before and after, and what QA must know of it."""

from dataclasses import dataclass
from itertools import chain
from typing import cast

from ray_jobs.contract import ClipCut, Export, Finding, Source
from ray_jobs.media.brand import Bumper, watermark_place
from ray_jobs.media.caption_files import boxes_in, findings_in
from ray_jobs.media.cut import Cut
from ray_jobs.media.faults import cut_words
from ray_jobs.media.quality import Brief, Shown
from ray_jobs.media.reframe import laid_out, target_size
from ray_jobs.media.timeline import Event, event_of
from ray_jobs.media.vmaf import Quality
from ray_jobs.run import JobRun, Step


@dataclass(frozen=True)
class Film:
    """A clip as it was ordered, what of the recording is in it, and its bumpers."""

    clip: ClipCut
    cut: Cut
    picture: Step
    intro: Bumper | None
    outro: Bumper | None

    @property
    def bumpers(self) -> list[Bumper]:
        return [each for each in (self.intro, self.outro) if each]

    @property
    def pictures(self) -> list[Step]:
        steps = [self.intro and self.intro.picture, self.picture, self.outro and self.outro.picture]
        return [step for step in steps if step]

    @property
    def frames(self) -> int:
        return self.cut.frames + sum(each.cut.frames for each in self.bumpers)

    @property
    def duration_s(self) -> float:
        return float(self.frames / self.cut.rate)

    @property
    def lead_s(self) -> float:
        return self.intro.cut.duration_s if self.intro else 0.0

    @property
    def shown(self) -> list[Shown]:
        """The stretches of the recording, one after the other."""
        cut, rate, at = self.cut, float(self.cut.rate), 0
        stretches = []
        for first, last in cut.kept:
            begin_s, end_s = (self.lead_s + frame / rate for frame in (at, at + last - first))
            stretches.append(Shown(begin_s, end_s, cut.start_s + first / rate))
            at += last - first
        return stretches

    def events(self, source: Source) -> list[Event]:
        """What an editor's program has to lay one after the other."""
        rate, name, sha256 = self.cut.rate, source.filename, source.object.sha256
        own = [
            event_of(name, sha256, source.media, float(self.cut.start_s + first / rate),
                     last - first, rate)
            for first, last in self.cut.kept
        ]  # fmt: skip
        before, after = (
            [event_of(name, each.ref.sha256, each.media, 0.0, each.cut.frames, rate)]
            if each
            else []
            for name, each in (("intro", self.intro), ("outro", self.outro))
        )
        return [*before, *own, *after]


def brief_of(
    run: JobRun, spec: Export, film: Film, files: Step, sound: Step | None, chosen: Quality
) -> Brief:
    """What is known of the film's file before it is there."""
    size = target_size(spec.source.media, spec.aspect, spec.height)
    clip, lead_s = film.clip, film.lead_s
    span_s = lead_s, lead_s + film.cut.duration_s
    logo, misplaced = watermark_place(run, spec.brand, size, spec.safe_area, span_s)
    frame, _, _ = laid_out(spec.source.media, size, spec.layout, clip.crop_track)
    burnt = spec.burn_subtitles and clip.style is not None
    clipped = cast("list[list[float]]", sound.value["clipped"]) if sound else []
    return Brief(
        frames=film.frames,
        rate=film.cut.rate,
        sound=sound is not None,
        loudness=spec.loudness,
        shown=film.shown,
        drawn=[*logo, *(boxes_in(files) if burnt else [])],
        whole=frame.mode not in {"crop", "split"},
        known=[
            *(findings_in(files) if clip.style else []),
            *misplaced,
            *words_cut(film),
            *missed(spec, film, chosen),
            *(
                Finding(
                    severity="warning", code="source_clipped", start_s=lead_s + a, end_s=lead_s + b,
                    message="The recording's own sound is cut off at full scale: use another take.",
                )
                for a, b in clipped
            ),
        ],
    )  # fmt: skip


def missed(spec: Export, film: Film, chosen: Quality) -> list[Finding]:
    """What the platform or the order asked for and the clip does not keep."""
    found = {}
    if spec.max_duration_s and film.duration_s > spec.max_duration_s:
        limit = f"the platform takes {spec.max_duration_s:.0f} s"
        found["too_long"] = f"It lasts {film.duration_s:.0f} s and {limit}: shorten it."
    if spec.target_vmaf and chosen.vmaf is not None and chosen.vmaf < spec.target_vmaf:
        reached = f"The best encoding reaches a VMAF of {chosen.vmaf:.1f}"
        found["quality_missed"] = f"{reached} of {spec.target_vmaf:.1f}: raise the bit rate's cap."
    return [
        Finding(severity="warning", code=code, message=message, start_s=0, end_s=film.duration_s)
        for code, message in found.items()
    ]


def words_cut(film: Film) -> list[Finding]:
    """Words that one of the film's cuts goes through, wherever it joins or ends."""
    cut = film.cut
    edges = [cut.start_s + frame / float(cut.rate) for frame in chain(*cut.kept)]
    kinds = {edges[0]: "begins", edges[-1]: "ends"}

    def at_s(time_s: float) -> float:
        inside_s = min(max(time_s, edges[0]), edges[-1])
        return round(film.lead_s + inside_s - cut.start_s - cut.gone_s(inside_s), 3)

    return [
        Finding(
            severity="warning",
            code="cut_mid_word",
            message=f"The clip {kinds.get(edge_s, 'is joined')} in the middle of “{word.text}”: "
            f"move {'it' if edge_s in kinds else 'the edit'} past the word.",
            start_s=at_s(word.start_s),
            end_s=at_s(word.end_s),
        )
        for word, edge_s in cut_words(film.clip.words, edges)
    ]
