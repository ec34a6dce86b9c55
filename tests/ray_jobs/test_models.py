"""Model weights: fetched whole or not at all, checked to the byte, missing in plain words."""

import json
import os
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from click.testing import CliRunner

from ray_jobs import models
from ray_jobs.failures import Failure

WEIGHTS = b"weights of a very small model"
CONFIG = b'{"layers": 1}'
MANIFEST = f"""
[[model]]
name = "small"
kind = "speech"
repository = "somebody/small"
revision = "abc123"
licence = "MIT"
languages = "en"
note = "For tests."
gated = true
[[model.file]]
path = "parts/model.bin"
size_bytes = {len(WEIGHTS)}
sha256 = "{sha256(WEIGHTS).hexdigest()}"
[[model.file]]
path = "config.json"
"""


class Hub(BaseHTTPRequestHandler):
    """A hub with one repository, which asks for a token."""

    def __init__(self, served, *args):
        self.served = served
        super().__init__(*args)

    def do_GET(self):
        body = self.served.get(self.path)
        status = 404 if body is None else 200
        self.asked(self.headers["Authorization"])
        if self.path.startswith("/somebody") and self.headers["Authorization"] != "Bearer mine":
            status = 401
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body or b"" if status == 200 else b"no")

    def asked(self, authorization):
        return

    def log_message(self, *_args):
        return


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty model folder and a manifest of one model."""
    (tmp_path / "manifest.toml").write_text(MANIFEST)
    monkeypatch.setattr(models, "MANIFEST", tmp_path / "manifest.toml")
    monkeypatch.setenv("CUTROOM_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("CUTROOM_OFFLINE", raising=False)
    models.manifest.cache_clear()
    yield tmp_path / "models"
    models.manifest.cache_clear()


@pytest.fixture
def hub(monkeypatch):
    """What the hub serves; a test may change it."""
    base = "/somebody/small/resolve/abc123"
    served = {f"{base}/parts/model.bin": WEIGHTS, f"{base}/config.json": CONFIG}
    server = HTTPServer(("127.0.0.1", 0), partial(Hub, served))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_TOKEN", "mine")
    yield served
    server.shutdown()
    server.server_close()


def test_fetch_puts_every_file_in_place_and_remembers_unknown_hashes(folder, hub):
    assert models.path_of("small") is None
    path = models.fetch("small", timeout_s=5)
    assert models.path_of("small") == path == folder / "small"
    assert (path / "parts" / "model.bin").read_bytes() == WEIGHTS
    assert json.loads((path / "lock.json").read_text()) == {
        "config.json": sha256(CONFIG).hexdigest()
    }
    assert models.verify("small") == []


def test_a_file_by_its_url_needs_no_hub_and_is_given_no_token(folder, hub, monkeypatch):
    heard = []
    hub["/elsewhere/aligner.pth"] = WEIGHTS
    monkeypatch.setattr(Hub, "asked", lambda _self, token: heard.append(token))
    url = f"{os.environ['HF_ENDPOINT']}/elsewhere/aligner.pth"
    entry = f"""
[[model]]
name = "by-url"
kind = "aligner"
licence = "MIT"
languages = "en"
note = "For tests."
[[model.file]]
path = "aligner.pth"
url = "{url}"
"""
    models.MANIFEST.write_text(MANIFEST + entry)
    models.manifest.cache_clear()
    path = models.fetch("by-url", timeout_s=5)
    assert heard == [None]
    assert models.verify("by-url") == []
    assert models.identity_of(path) == sha256(WEIGHTS).hexdigest()
    (path / "aligner.pth").write_bytes(WEIGHTS[::-1])
    assert "damaged" in models.verify("by-url")[0]


def test_what_is_there_is_not_fetched_again(folder, hub):
    models.fetch("small", timeout_s=5)
    hub.clear()
    models.fetch("small", timeout_s=5)


def test_a_file_with_another_hash_is_not_kept(folder, hub):
    hub["/somebody/small/resolve/abc123/parts/model.bin"] = WEIGHTS[::-1]
    with pytest.raises(Failure, match="model_damaged"):
        models.fetch("small", timeout_s=5)
    assert models.path_of("small") is None
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["parts/model.bin", "config.json"])
def test_verify_names_what_changed(folder, hub, name):
    path = models.fetch("small", timeout_s=5)
    content = (path / name).read_bytes()
    (path / name).write_bytes(b"#" + content[1:])
    (problem,) = models.verify("small")
    assert problem.startswith(f"{name} is damaged")
    (path / name).unlink()
    assert f"{name} is missing." in models.verify("small")


def test_conditions_not_accepted_say_where_to_accept_them(folder, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(Failure, match=r"model_gated.*huggingface.co/somebody/small.*HF_TOKEN"):
        models.fetch("small", timeout_s=5)


def test_a_hub_that_cannot_be_reached_is_one_sentence(folder, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Failure, match=r"hub_unreachable.*cannot be reached") as failure:
        models.fetch("small", timeout_s=2)
    assert failure.value.retryable


def test_offline_never_tries(folder, hub, monkeypatch):
    monkeypatch.setenv("CUTROOM_OFFLINE", "1")
    with pytest.raises(Failure, match="offline: small is not in"):
        models.fetch("small", timeout_s=5)


@pytest.mark.parametrize("name", ["nothing", "../../etc", ""])
def test_unknown_names_are_refused(folder, name):
    assert models.path_of(name) is None
    for ask in (models.fetch, models.verify):
        with pytest.raises(Failure, match="model_unknown"):
            ask(name)


def test_a_model_of_ones_own_counts_by_its_folder(folder):
    own = folder / "my-whisper"
    own.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (own / name).write_bytes(b"x")
    assert models.path_of("my-whisper") == own
    assert [(m.name, m.state) for m in models.listing()] == [
        ("small", "missing"),
        ("my-whisper", "present"),
    ]


def test_the_command_line_says_the_same(folder, hub):
    run = CliRunner().invoke
    assert run(models.main, ["fetch", "small", "--json"]).exit_code == 0
    listed = json.loads(run(models.main, ["list", "--json"]).output)
    assert listed[0]["state"] == "present"
    assert run(models.main, ["verify", "small"]).exit_code == 0
    (folder / "small" / "config.json").write_bytes(b"{}")
    damaged = run(models.main, ["verify", "small", "--json"])
    assert damaged.exit_code == 1
    assert json.loads(damaged.output)["right"] is False
    unknown = run(models.main, ["fetch", "nothing", "--json"])
    assert json.loads(unknown.output)["code"] == "model_unknown"


def test_the_manifest_of_the_repository_is_complete():
    models.manifest.cache_clear()
    known = models.manifest()
    assert {"whisper-tiny", "whisper-base", "whisper-small", "whisper-large-v3"} <= set(known)
    for model in known.values():
        urls = [file.url for file in model.files if file.url]
        assert len(model.revision) == 40 or len(urls) == len(model.files)
        assert all(url.startswith("https://") for url in urls)
        assert model.licence
        assert model.files
        if model.kind == "speech":
            assert all(len(file.sha256) == 64 and file.size_bytes for file in model.files)
