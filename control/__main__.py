"""The `cutroom` command."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from control.client.api import Api, ApiFailure
from control.client.process import Processing, Wanted
from control.client.sheet import clock
from control.embedded import CannotStart
from control.serve import Server, running
from control.settings import BadSetting, Settings

ASPECTS = ["9:16", "1:1", "4:5", "16:9", "source"]
MODELS_TIMEOUT_S = 20
console = Console(stderr=True, highlight=False)


@click.group()
@click.version_option(package_name="cutroom")
def main() -> None:
    """Long recordings in; transcripts, explained clips, subtitles and exports out."""


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API (default 8000).")
def serve(port: int | None) -> None:
    """Run a whole server: API, background work, and what is not configured elsewhere."""
    settings = read_settings(port)
    stopped = Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    with sentences(), running(settings, say=console.print) as server:
        console.print(f"API        {server.url}\nDocs       {server.url}/docs")
        if server.dashboard_url:
            token = settings.home.absolute() / "ray-token"
            console.print(f"Dashboard  {server.dashboard_url}  (Ray token in {token})")
        if server.token:
            click.echo(f"Org id     {server.organization_id}\nToken      {server.token}")
        console.print("Press Ctrl-C to stop.")
        server.watch(stopped)
        console.print("stopping")


@main.command()
@click.argument(
    "inputs", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--clips", default=5, show_default=True, type=click.IntRange(1, 100))
@click.option("--aspect", default="9:16", show_default=True, type=click.Choice(ASPECTS))
@click.option("--height", default=1920, show_default=True, type=click.IntRange(64, 4320))
@click.option("--style", help="Subtitle preset; the server's default where left out.")
@click.option("--transcript", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--language", help="Language of the speech, such as en or pt-BR.")
@click.option("--tighten", is_flag=True, help="Leave out filler words and long silence.")
@click.option("--url", help="A running server; else one is started for this command.")
def process(inputs: tuple[Path, ...], out: Path, url: str | None, **wanted: Any) -> None:
    """Turn recordings into clips, in DIR (one folder each where there are several)."""
    if wanted["transcript"] and len(inputs) > 1:
        raise click.UsageError("--transcript goes with one recording.")
    if len({source.stem for source in inputs}) < len(inputs):
        raise click.UsageError("Two recordings have the same name; process them one by one.")
    with sentences(), server_at(url) as server:
        failed = process_all(server, inputs, out, Wanted(**wanted))
    sys.exit(1 if failed else 0)


@main.command()
@click.argument(
    "video", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--out", default="demo-output", type=click.Path(file_okay=False, path_type=Path))
@click.option("--url", help="A running server; else one is started for this command.")
def demo(video: Path | None, out: Path, url: str | None) -> None:
    """Process VIDEO, or a recording made on the spot, and say where to look."""
    out.mkdir(parents=True, exist_ok=True)
    fetch_small_model()
    wanted = Wanted(clips=3)
    with sentences():
        if video is None:
            console.print("making a sample recording")
            workers("ray_jobs.sample", str(out / "sample.mp4"))
            video = out / "sample.mp4"
            wanted = replace(wanted, transcript=out / "sample.srt", language="en")
        with server_at(url) as server:
            failed = process_all(server, (video,), out, wanted)
    sys.exit(1 if failed else 0)


@main.command()
def migrate() -> None:
    """Bring the database at DATABASE_URL to the newest schema."""
    if not read_settings().database_url:
        raise click.ClickException("Set DATABASE_URL; `cutroom serve` migrates its own database.")
    workers("control.tasks", "migrate")
    console.print("The database is up to date.")


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def models(arguments: tuple[str, ...]) -> None:
    """List, fetch or verify the models in models_cache: list | fetch NAME | verify [NAME]."""
    done = subprocess.run([sys.executable, "-m", "ray_jobs.models", *arguments], check=False)
    sys.exit(done.returncode)


@main.group()
def audit() -> None:
    """Look after the audit trail."""


@audit.command(name="verify")
def verify_audit() -> None:
    """Walk every organisation's hash chain; fails where an entry is missing or was changed."""
    if not read_settings().database_url:
        raise click.ClickException("Set DATABASE_URL to the database of the trail.")
    click.echo(workers("control.tasks", "verify_audit").strip())


@main.command()
def token() -> None:
    """Print a token of the first owner, for scripts on this machine."""
    settings = read_settings()
    try:
        server = json.loads((settings.home / "server.json").read_text())
    except (OSError, ValueError):
        if not settings.database_url:
            raise click.ClickException(f"No server runs on {settings.home}.") from None
        server = json.loads(workers("control.tasks", "bootstrap"))
    click.echo(server.get("token") or "")


def read_settings(port: int | None = None) -> Settings:
    try:
        settings = Settings.from_environment()
        return replace(settings, home=settings.home.absolute(), port=port or settings.port)
    except BadSetting as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def sentences() -> Iterator[None]:
    """Failures a user can mend are told in one sentence."""
    try:
        yield
    except (CannotStart, ApiFailure, BadSetting) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def server_at(url: str | None) -> Iterator[Server]:
    """The server at `url` with the token in the environment, or the one on `CUTROOM_HOME`."""
    settings = read_settings()
    known = _server_file(settings.home)
    if url and not (known and known.url == url.rstrip("/")):
        names = os.environ.get("CUTROOM_TOKEN"), os.environ.get("CUTROOM_ORG_ID")
        if not all(names):
            raise click.ClickException("Set CUTROOM_TOKEN and CUTROOM_ORG_ID for that server.")
        yield Server(url, *names, None, [])
    elif known:
        yield known
    else:
        with running(_on_a_free_port(settings), say=console.print) as server:
            yield server


def _server_file(home: Path) -> Server | None:
    try:
        facts = json.loads((home / "server.json").read_text())
        os.kill(facts["pid"], 0)
    except (OSError, ValueError, KeyError):
        return None
    return Server(facts["url"], facts["token"], facts["organization_id"], None, [])


def _on_a_free_port(settings: Settings) -> Settings:
    import socket

    with socket.socket() as probe:
        probe.bind((settings.host, 0))
        return replace(settings, port=probe.getsockname()[1])


@dataclass
class RichBars:
    """One bar per job, drawn while the job moves."""

    progress: Progress

    def show(self, name: str, share: float, word: str = "") -> None:
        task = next((t for t in self.progress.tasks if t.description == name), None)
        task_id = task.id if task else self.progress.add_task(name, total=1.0, word="")
        if task and share < task.completed:
            self.progress.reset(task_id)
        self.progress.update(task_id, completed=share, word=word)


def process_all(server: Server, inputs: tuple[Path, ...], out: Path, wanted: Wanted) -> int:
    """Process each input; one that fails leaves the others alone. Returns how many failed."""
    failed = 0
    with Api(server.url, server.token or "", server.organization_id or "") as api:
        for source in inputs:
            folder = out if len(inputs) == 1 else out / source.stem
            columns = (
                TextColumn("{task.description:>16}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[word]}"),
            )
            try:
                with Progress(*columns, console=console) as progress:
                    report = Processing(api, source, folder, wanted, RichBars(progress)).run()
            except ApiFailure as error:
                console.print(f"{source.name}: {error}", style="red", markup=False)
                failed += 1
            else:
                summarise(report, folder)
    return failed


def summarise(report: dict[str, Any], folder: Path) -> None:
    """Print the clips, their scores and where to look."""
    table = Table("rank", "from", "to", "score", "LUFS", "dBTP", "title")
    for clip in report["clips"]:
        measured = (clip["loudness_lufs"], clip["true_peak_dbtp"])
        table.add_row(
            str(clip["rank"]), clock(clip["start_s"]), clock(clip["end_s"]), f"{clip['score']:.3f}",
            *("–" if value is None else f"{value:.1f}" for value in measured), clip["title"],
        )  # fmt: skip
    console.print(table)
    if report["transcript"]["note"]:
        console.print(report["transcript"]["note"], markup=False)
    console.print(f"{report['wall_s']:.1f} s, {report['realtime_factor']:.2f} × real time")
    console.print(f"contact sheet: {folder / 'index.html'}", markup=False)


def fetch_small_model() -> None:
    """Try once to get the small speech model; the embedded engine serves where no hub answers."""
    if os.environ.get("CUTROOM_OFFLINE") == "1":
        console.print("offline: the embedded speech engine serves; its words are rough")
        return
    command = [sys.executable, "-m", "ray_jobs.models", "fetch", "whisper-small"]
    done = subprocess.run(
        [*command, "--timeout", str(MODELS_TIMEOUT_S)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no hub answered"])[-1]
        console.print(f"{reason}\nGoing on with the embedded speech engine; its words are rough.")


def workers(module: str, *arguments: str) -> str:
    """Run a module of the workers' side to its end and return what it printed."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise click.ClickException(f"{module} failed: {reason}")
    return done.stdout


if __name__ == "__main__":
    main()
