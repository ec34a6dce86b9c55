"""Model weights on this node: what the manifest knows, what is there, fetching and checking it.

`python -m ray_jobs.models list|fetch|verify [name] [--json]` is the same at the command line.
"""

import json
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import click

from ray_jobs.failures import Failure

REPOSITORY_FOLDER = Path(__file__).parent.parent / "models_cache"
MANIFEST = REPOSITORY_FOLDER / "manifest.toml"
LOCK = "lock.json"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
CHUNK_BYTES = 1 << 20
OWN = {
    "speech": ("model.bin", "config.json", "tokenizer.json"),
    "aligner": ("aligner.json", "model.pt"),
}
"""Files by which a folder that the manifest does not know is known for a model."""


@dataclass(frozen=True)
class ModelFile:
    """`url` names a file that lies on no hub; it has no revision, so that its hash pins it."""

    path: str
    size_bytes: int | None = None
    sha256: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Model:
    """An entry of the manifest: a repository of the hub at one revision, or files by their URLs.

    `bundle` is the name in `torchaudio.pipelines` that knows how the weights are to be used.
    """

    name: str
    kind: str
    licence: str
    languages: str
    note: str
    files: tuple[ModelFile, ...]
    repository: str = ""
    revision: str = ""
    gated: bool = False
    bundle: str = ""

    @property
    def identity(self) -> str:
        """What tells these weights from any others."""
        if self.repository:
            return f"{self.repository}@{self.revision}"
        locked = _locked(directory() / self.name)
        return "+".join(file.sha256 or locked.get(file.path, "?") for file in self.files)


@dataclass(frozen=True)
class Listed:
    """A model and whether its weights are here; `size_bytes` is None where a size is not known."""

    name: str
    kind: str
    state: Literal["present", "missing", "incomplete"]
    licence: str
    languages: str
    size_bytes: int | None
    note: str
    path: str | None


def directory() -> Path:
    """Where weights lie: `CUTROOM_MODELS`, else `models_cache/` of the repository."""
    return Path(os.environ.get("CUTROOM_MODELS") or REPOSITORY_FOLDER)


@cache
def manifest() -> dict[str, Model]:
    entries = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["model"]
    models = {}
    for entry in entries:
        files = tuple(ModelFile(**file) for file in entry.pop("file"))
        models[entry["name"]] = Model(files=files, **entry)
    return models


def path_of(name: str) -> Path | None:
    """Folder of a model whose weights are all here; None where they are not.

    A folder that the manifest does not know counts if it holds a CTranslate2 Whisper or an aligner.
    """
    if not NAME.fullmatch(name):
        return None
    folder = directory() / name
    known = manifest().get(name)
    if known:
        return folder if all(_in_place(folder, file) for file in known.files) else None
    return folder if _own_kind(folder) else None


def identity_of(folder: Path) -> str:
    """What tells the weights of a folder from others without reading gigabytes."""
    known = manifest().get(folder.name)
    if known:
        return known.identity
    digest = sha256()
    for file in sorted(file for file in folder.iterdir() if file.is_file()):
        digest.update(f"{file.name}:{file.stat().st_size}".encode())
        if file.suffix == ".json" and file.name != "tokenizer.json":
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _own_kind(folder: Path) -> str | None:
    """What a folder of one's own holds, if it is whole."""
    whole = (k for k, files in OWN.items() if all((folder / file).is_file() for file in files))
    return next(whole, None)


def listing() -> list[Listed]:
    """Every model of the manifest, and own models in the folder, with their state."""
    listed = [_listed(model) for model in manifest().values()]
    folders = sorted(directory().iterdir()) if directory().is_dir() else []
    for folder in folders:
        kind = _own_kind(folder)
        if kind and folder.name not in manifest() and NAME.fullmatch(folder.name):
            size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
            note = "Not in the manifest."
            listed.append(Listed(folder.name, kind, "present", "own", "?", size, note, str(folder)))
    return listed


def verify(name: str) -> list[str]:
    """What is wrong with a model's files, one sentence each; nothing when all bytes are right.

    Raises
    ------
    Failure
        `model_unknown` where the manifest has no such model.
    """
    model = _known(name)
    folder = directory() / name
    locked = _locked(folder)
    problems = []
    for file in model.files:
        path = folder / file.path
        expected = file.sha256 or locked.get(file.path)
        if not path.is_file():
            problems.append(f"{file.path} is missing.")
        elif file.size_bytes is not None and path.stat().st_size != file.size_bytes:
            problems.append(f"{file.path} has {path.stat().st_size} bytes, not {file.size_bytes}.")
        elif expected is None:
            problems.append(f"{file.path} has no recorded SHA-256: fetch the model again.")
        elif _digest(path) != expected:
            problems.append(f"{file.path} is damaged: its SHA-256 is not {expected}.")
    return problems


def fetch(
    name: str,
    *,
    timeout_s: float = 20.0,
    progress: Callable[[str, int], None] = lambda _path, _bytes: None,
) -> Path:
    """Download what is missing of a model, check it, and return its folder.

    `timeout_s` bounds every wait for an answer. A file appears under its name only when it is whole
    and its hash right.

    Raises
    ------
    Failure
        `model_unknown`, `offline` (CUTROOM_OFFLINE is set), `hub_unreachable`, `model_gated` or
        `model_damaged`; each says what to do.
    """
    model = _known(name)
    folder = directory() / name
    missing = [file for file in model.files if not _in_place(folder, file)]
    if missing and os.environ.get("CUTROOM_OFFLINE", "") not in {"", "0"}:
        raise Failure(
            "offline",
            f"{name} is not in {directory()} and CUTROOM_OFFLINE forbids fetching it: copy its "
            "folder there, or unset CUTROOM_OFFLINE.",
        )
    for file in missing:
        digest = _download(model, file, folder, timeout_s, progress)
        if file.sha256 is None:
            lock = {**_locked(folder), file.path: digest}
            (folder / LOCK).write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")
    return folder


def _known(name: str) -> Model:
    if name not in manifest():
        raise Failure("model_unknown", f"No model {name!r}; known are {', '.join(manifest())}.")
    return manifest()[name]


def _listed(model: Model) -> Listed:
    folder = directory() / model.name
    there = [_in_place(folder, file) for file in model.files]
    state: Any = "present" if all(there) else "incomplete" if any(there) else "missing"
    sizes = [file.size_bytes for file in model.files]
    size = None if None in sizes else sum(size or 0 for size in sizes)
    path = str(folder) if state == "present" else None
    return Listed(
        model.name, model.kind, state, model.licence, model.languages, size, model.note, path
    )


def _in_place(folder: Path, file: ModelFile) -> bool:
    path = folder / file.path
    return path.is_file() and file.size_bytes in (None, path.stat().st_size)


def _locked(folder: Path) -> dict[str, str]:
    try:
        return dict(json.loads((folder / LOCK).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _download(
    model: Model,
    file: ModelFile,
    folder: Path,
    timeout_s: float,
    progress: Callable[[str, int], None],
) -> str:
    target = folder / file.path
    directory().mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=directory(), prefix=".fetch-")
    digest, received = sha256(), 0
    try:
        with os.fdopen(handle, "wb") as out, _hub(model, file, timeout_s) as response:
            for chunk in response.iter_bytes(CHUNK_BYTES):
                out.write(chunk)
                digest.update(chunk)
                received += len(chunk)
                progress(file.path, received)
        if file.sha256 not in (None, digest.hexdigest()):
            raise Failure(
                "model_damaged",
                f"{model.name}: {file.path} came with another SHA-256 than the manifest's; nothing "
                "was kept. Try again, or report it.",
                retryable=True,
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return digest.hexdigest()


@contextmanager
def _hub(model: Model, file: ModelFile, timeout_s: float) -> Iterator[Any]:
    """An open response of the hub, headers read, or a Failure in one clear sentence."""
    import httpx

    hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    url = file.url or f"{hub}/{model.repository}/resolve/{model.revision}/{file.path}"
    token = os.environ.get("HF_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token and not file.url else {}
    answer: Future[Any] = Future()

    def open_url(client: httpx.Client) -> None:
        try:
            answer.set_result(client.send(client.build_request("GET", url), stream=True))
        except Exception as error:  # noqa: BLE001 - raised again where the answer is awaited
            answer.set_exception(error)

    try:
        with httpx.Client(timeout=timeout_s, follow_redirects=True, headers=headers) as client:
            # A name server that does not answer is no part of httpx's own time limits.
            Thread(target=open_url, args=(client,), daemon=True).start()
            response = answer.result(timeout=timeout_s)
            try:
                response.raise_for_status()
                yield response
            finally:
                response.close()
    except httpx.HTTPStatusError as error:
        raise _refused(model, url, error.response.status_code) from error
    except (httpx.HTTPError, TookTooLong) as error:
        raise Failure(
            "hub_unreachable",
            f"{httpx.URL(url).host} cannot be reached, so {model.name} was not fetched: check the "
            f"network, or copy the model's folder to {directory() / model.name}.",
            retryable=True,
        ) from error


def _refused(model: Model, url: str, status: int) -> Failure:
    if model.gated and status in {401, 403}:
        return Failure(
            "model_gated",
            f"{model.name} has conditions to accept: do so at "
            f"https://huggingface.co/{model.repository}, then set HF_TOKEN to a token of yours.",
        )
    return Failure("hub_unreachable", f"The answer for {url} was {status}.", retryable=True)


@click.group()
def main() -> None:
    """Model weights: list them, fetch them, verify them."""


@main.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _list(*, as_json: bool) -> None:
    """Show every known model and whether it is here."""
    models = listing()
    if as_json:
        click.echo(json.dumps([asdict(model) for model in models], indent=2))
        return
    for model in models:
        size = f"{model.size_bytes / 1e6:8,.0f} MB" if model.size_bytes else "          ?"
        click.echo(f"{model.name:34} {model.state:10} {size}  {model.licence:10} {model.note}")


@main.command("fetch")
@click.argument("name")
@click.option("--timeout", "timeout_s", default=20.0, show_default=True, help="Seconds to wait.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _fetch(name: str, *, timeout_s: float, as_json: bool) -> None:
    """Download a model and check it."""
    try:
        folder = fetch(name, timeout_s=timeout_s)
    except Failure as failure:
        _say({"name": name, "code": failure.code, "detail": failure.detail}, as_json=as_json)
        sys.exit(1)
    _say({"name": name, "path": str(folder)}, as_json=as_json)


@main.command("verify")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _verify(name: str, *, as_json: bool) -> None:
    """Compare every file of a model with the manifest."""
    try:
        problems = verify(name)
    except Failure as failure:
        problems = [failure.detail]
    _say({"name": name, "right": not problems, "problems": problems}, as_json=as_json)
    sys.exit(1 if problems else 0)


def _say(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    for key, value in answer.items():
        click.echo(f"{key}: {'; '.join(value) if isinstance(value, list) else value}")


if __name__ == "__main__":
    main()
