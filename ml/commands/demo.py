"""`handlens demo`: the whole game on generated samples; works with no display."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import platformdirs
import typer
from rich.console import Console

from ml.commands.common import command, make_console, say
from ml.commands.contact_sheet import write_sheet
from ml.commands.evaluate import evaluate_with, say_result
from ml.commands.new import scan_with
from ml.commands.progress import LiveReport, done_of
from ml.commands.train import preset_named, train_with
from ml.commands.usage import WrongUsageError
from ml.core.disk import rename_folder
from ml.core.errors import HandlensError
from ml.core.events import Finished
from ml.core.jobs import EvaluateJob, ScanJob, TrainJob
from ml.core.messages import msg, text, tr, verbatim
from ml.core.outputs import reason_of
from ml.core.phrases import counted, counted_classes
from ml.core.printable import printable
from ml.core.types import Preset
from ml.demo.projects import DEMO_NAMES, DemoKind, write_samples
from ml.project.project import SUFFIX, Project
from ml.project.split.plan import plan_split
from ml.scoring.tasks import task_named

SHOWN_EPOCHS = 2
_INDENT = "   "


@command(interrupted=msg("Interrupted. To start again, run {command}.", command="handlens demo"))
def demo(
    kind: Annotated[
        str, typer.Option(metavar="images|recordings", help=tr("Bricks on a belt, or sounds of a forest."))
    ] = "images",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="DIR",
            help=tr("Where to put it. If not given, “{folder}” in your documents.", folder="Handlens"),
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="quick|standard|thorough",
            help=tr("How long to train. If not given, two passes over the samples."),
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(min=30, help=tr("How many samples to create."), hidden=True)] = None,
    seed: Annotated[int, typer.Option(help=tr("Another number gives other samples."), hidden=True)] = 0,
) -> None:
    """Play the whole game on a built-in sample: create, train, test, and look at what the network looked at."""
    chosen = _kind(kind)
    # Without a wish it fine-tunes too, but only as long as somebody watches: under three minutes in all on two cores.
    speed = preset_named(preset or "standard")
    epochs = None if preset else SHOWN_EPOCHS
    home = (to or platformdirs.user_documents_path() / "Handlens").expanduser().absolute()
    console = make_console()
    project = _free_project(home, DEMO_NAMES[chosen])
    say(console, msg("{name}: from a folder to a trained model.", name=DEMO_NAMES[chosen]))
    console.print()
    samples = _samples(home / "samples" / DEMO_NAMES[chosen], chosen, console, seed=seed, count=count)
    _create(project, samples, chosen, console)
    finished = _train(project, speed, epochs, console)
    _look(project, finished, console)


def _kind(name: str) -> DemoKind:
    for kind in DEMO_NAMES:
        if kind == name:
            return kind
    raise WrongUsageError(msg("Choose one of: {choices}.", choices=", ".join(DEMO_NAMES)), option="--kind")


def _free_project(home: Path, name: str) -> Path:
    """Earlier demos are kept; a new one gets the next number."""
    number = 1
    while True:
        project = home / f"{name}{f' {number}' if number > 1 else ''}{SUFFIX}"
        if not project.exists():
            return project
        number += 1


def _samples(folder: Path, kind: DemoKind, console: Console, *, seed: int, count: int | None) -> Path:
    """The sample files, made once. They appear under their name only when all of them are there."""
    if folder.is_dir():
        say(console, msg("1. The samples are already in {folder}.", folder=str(folder)))
        return folder
    say(console, msg("1. Creating the samples on this machine. Nothing is downloaded."))
    draft = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        with LiveReport(console) as live:
            for done, total in write_samples(draft, kind, seed=seed, count=count):
                live.move(done, total, done_of(done, total))
        rename_folder(draft, folder)
    except OSError as error:
        raise HandlensError(
            msg(
                "The samples could not be written to {folder}: {reason}. Choose another place with {option}.",
                option="--to DIR",
                folder=str(folder),
                reason=verbatim(reason_of(error)),
            ),
            details=repr(error),
        ) from error
    say(console, _INDENT + tr("They are in {folder}.", folder=str(folder)))
    return folder


def _create(project: Path, samples: Path, kind: DemoKind, console: Console) -> None:
    say(console, msg("2. Reading the folder. Every sub-folder is a class."))
    with LiveReport(console) as live:
        report = scan_with(ScanJob(folder=samples, kind=kind), live.show)
    plan = plan_split(report, split_by="auto", seed=0, existing={})
    with Project.create(project, name=project.name.removesuffix(SUFFIX), report=report, plan=plan) as made:
        samples_made = counted(len(made.samples()), kind)
        names = tuple(item.name for item in made.classes())
        sentence = tr(
            "{samples} in {classes}: {names}.", samples=samples_made, classes=counted_classes(len(names)), names=names
        )
        say(console, _INDENT + sentence)
        say(console, _INDENT + text(made.split_why))


def _train(project: Path, preset: Preset, epochs: int | None, console: Console) -> Finished:
    say(console, msg("3. Training."))
    with LiveReport(console) as live:
        return train_with(TrainJob(project=project, preset=preset, epochs=epochs), live.show)


def _look(project: Path, finished: Finished, console: Console) -> None:
    say(console, msg("4. Testing on samples it has never seen."))
    result = evaluate_with(EvaluateJob(project=project, run=finished.run), lambda _event: None)
    with Project.open(project) as opened:
        say_result(result, opened.kind, console)
        title = text(task_named(result.task).result(result.accuracy, result.n, opened.kind))
        sheet = write_sheet(opened, finished.run, title=title, target=project / "predictions.png")
    model = project / "runs" / f"{finished.run:04d}" / "model.onnx"
    console.print()
    say(console, msg("Its predictions and where it looked: {path}", path=str(sheet)))
    say(console, msg("The model, for use anywhere: {path}", path=str(model)))
    say(console, msg("The project, to continue with: {path}", path=str(project)))
    console.print()
    say(console, msg("Next:"))
    say(console, f'  handlens studio "{printable(str(project))}"')
    say(console, f'  handlens predict "{printable(str(project))}" YOUR_FILES --overlays looked-at')
    say(console, "  handlens new MY_PROJECT --from YOUR_FOLDER")
