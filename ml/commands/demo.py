"""`handlens demo`: the whole game on generated samples; works with no display."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import platformdirs
import typer
from rich.console import Console

from ml.commands.common import verb, words
from ml.commands.evaluate import evaluate_with, say_result
from ml.commands.live import LiveReport
from ml.commands.new import scan_with
from ml.commands.phrases import capital, plural, right_on
from ml.commands.sheet import write_sheet
from ml.commands.train import preset_named, train_with
from ml.demo.projects import DEMO_NAMES, DemoKind, write_samples
from ml.errors import HandlensError
from ml.events import Finished
from ml.jobs import EvaluateJob, ScanJob, TrainJob
from ml.project.project import SUFFIX, Project
from ml.project.samples import Preset
from ml.project.splitting import plan_split
from ml.wording import counted

SHOWN_EPOCHS = 2


@verb(interrupted="Interrupted; run handlens demo again to start afresh.")
def demo(
    kind: Annotated[str, typer.Option(metavar="images|recordings", help="Bricks on a belt, or sounds of a forest.")] = (
        "images"
    ),
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Where to put it; “Handlens” in your documents if not given."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="quick|standard|thorough",
            help="How much time the network may take to learn; two passes over the samples if not given.",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(min=30, help="How many samples to make.", hidden=True)] = None,
    seed: Annotated[int, typer.Option(help="Another number gives other samples.", hidden=True)] = 0,
) -> None:
    """Play the whole game on a built-in sample: create, train, test, and look at what the network looked at."""
    chosen = _kind(kind)
    # Without a wish it fine-tunes too, but only as long as somebody watches: under three minutes in all on two cores.
    speed = preset_named(preset or "standard")
    epochs = None if preset else SHOWN_EPOCHS
    home = (to or platformdirs.user_documents_path() / "Handlens").expanduser().absolute()
    console = words()
    project = _free_project(home, DEMO_NAMES[chosen])
    console.print(f"[bold]{DEMO_NAMES[chosen]}[/]: a folder becomes a model that has learned from it.\n")
    samples = _samples(home / "samples" / DEMO_NAMES[chosen], chosen, console, seed=seed, count=count)
    _create(project, samples, chosen, console)
    finished = _train(project, speed, epochs, console)
    _look(project, finished, console)


def _kind(name: str) -> DemoKind:
    for kind in DEMO_NAMES:
        if kind == name:
            return kind
    raise typer.BadParameter("choose images or recordings", param_hint="--kind")


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
        console.print(f"1. The samples are already in {folder}.", markup=False)
        return folder
    console.print("1. Making the samples; they are drawn or synthesised here, nothing is downloaded.")
    draft = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        with LiveReport(console) as live:
            for done, total in write_samples(draft, kind, seed=seed, count=count):
                live.move(done, total, f"{done:,} of {total:,}")
        draft.rename(folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise HandlensError(
            f"The samples could not be written to {folder}: {reason}; choose another place with --to DIR.",
            details=repr(error),
        ) from error
    console.print(f"   They are in {folder}.", markup=False)
    return folder


def _create(project: Path, samples: Path, kind: DemoKind, console: Console) -> None:
    console.print("2. Reading the folder: every sub-folder is a class.")
    with LiveReport(console) as live:
        report = scan_with(ScanJob(folder=samples, kind=kind), live.show)
    plan = plan_split(report, split_by="auto", seed=0, existing={})
    with Project.create(project, name=project.name.removesuffix(SUFFIX), report=report, plan=plan) as made:
        classes = ", ".join(item.name for item in made.classes())
        console.print(
            f"   {counted(len(made.samples()), kind)} in {plural(len(made.classes()), 'class', 'classes')}: {classes}.",
            markup=False,
        )
        console.print(f"   {made.split_why}", markup=False)


def _train(project: Path, preset: Preset, epochs: int | None, console: Console) -> Finished:
    console.print("3. Training.")
    with LiveReport(console) as live:
        return train_with(TrainJob(project=project, preset=preset, epochs=epochs), live.show)


def _look(project: Path, finished: Finished, console: Console) -> None:
    console.print("4. Testing on what it has never seen.")
    result = evaluate_with(EvaluateJob(project=project, run=finished.run), lambda _event: None)
    with Project.open(project) as opened:
        say_result(result, opened.kind, console)
        title = capital(right_on(result.accuracy, result.n, opened.kind))
        sheet = write_sheet(opened, finished.run, title=title, target=project / "predictions.png")
    model = project / "runs" / f"{finished.run:04d}" / "model.onnx"
    console.print(f"\nWhat it said and where it looked: {sheet}", markup=False)
    console.print(f"The model, to be used anywhere:   {model}", markup=False)
    console.print(f"The project, to be worked on:     {project}\n", markup=False)
    console.print("Next:")
    console.print(f'  handlens studio "{project}"', markup=False)
    console.print(f'  handlens predict "{project}" YOUR_FILES --overlays looked-at', markup=False)
    console.print("  handlens new MY_PROJECT --from YOUR_FOLDER")
