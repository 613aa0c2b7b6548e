"""`handlens train`: the engine's events, as words or as JSON lines."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ml.commands.common import (
    ACCEPT_CHANGED_WEIGHTS,
    INTERRUPTED,
    InterruptedByUserError,
    JsonOption,
    ProjectArgument,
    WrongAtMostOption,
    command,
    find_project,
    make_console,
    print_error,
    print_json,
    rate_named,
    run_to_end,
    say,
    whole_number,
)
from ml.commands.progress import LiveReport
from ml.commands.usage import WrongUsageError
from ml.core import ranks
from ml.core.backbone_catalog import OFFERED
from ml.core.errors import HandlensError
from ml.core.events import Event, Failed, Finished, Showcase, as_json
from ml.core.jobs import DEFAULT_EAR, DEFAULT_FRONT, EARS, FRONTS, Ear, Front, NeverStop, TrainJob
from ml.core.messages import msg, text, tr
from ml.core.phrases import duration
from ml.core.types import PRESETS, KindName, Preset, TaskName
from ml.evaluation.run_comparison import adjusting_result
from ml.media.kinds import kind_named
from ml.pipeline.dispatch import run
from ml.project.project import Project
from ml.project.runs import NOTHING_TO_RESUME
from ml.scoring.tasks import task_named

_TITLES = {"small": msg("small"), "default": msg("default"), "strong": msg("strong")}


def _offered() -> str:
    """The pretrained networks to choose from."""
    return ", ".join(f"{item.name} ({text(_TITLES[item.title])})" for item in OFFERED)


def preset_named(name: str) -> Preset:
    """The preset of that name; raises a usage error for any other."""
    for preset in PRESETS:
        if preset == name:
            return preset
    raise WrongUsageError(msg("Choose one of: {choices}.", choices=", ".join(PRESETS)), option="--preset")


def front_named(name: str) -> Front:
    """The front end of that name, the usual one for none; raises a usage error for any other."""
    for front in FRONTS:
        if front == (name or DEFAULT_FRONT):
            return front
    raise WrongUsageError(msg("Choose one of: {choices}.", choices=", ".join(FRONTS)), option="--front")


def ear_named(name: str) -> Ear:
    """The ear of that name, the usual one for none; raises a usage error for any other."""
    choices = (DEFAULT_EAR, *EARS)
    for ear in choices:
        if ear == (name or DEFAULT_EAR):
            return ear
    raise WrongUsageError(msg("Choose one of: {choices}.", choices=", ".join(choices)), option="--ear")


PresetOption = Annotated[
    str,
    typer.Option(metavar="NAME", help=tr("How long to train: {presets}.", presets=", ".join(PRESETS))),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(parser=whole_number, metavar="N", help=tr("Passes over the samples, instead of those of the preset.")),
]
SeedOption = Annotated[
    int, typer.Option(parser=whole_number, metavar="N", help=tr("Another number gives another random order."))
]
ResumeOption = Annotated[bool, typer.Option("--resume", help=tr("Continue the newest run that was interrupted."))]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=tr("What computes: {devices}, or {auto} (the fastest).", devices="cpu, cuda, mps", auto="auto"),
    ),
]
BackboneOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=tr(
            "Another pretrained network to start from, any of timm: {offered}. It is downloaded once.",
            offered=_offered(),
        ),
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=tr(
            "The weights of {option}, or of {yamnet}, as a file, for a machine without internet.",
            option="--backbone",
            yamnet="--ear yamnet",
        ),
    ),
]
FrontOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=tr(
            "For sensor logs, the picture that the network gets: how the rhythms change ({spectrogram}), the "
            "curves ({traces}), when a state returns ({recurrence}), or all three ({combined}, the default).",
            **{name: name for name in FRONTS},
        ),
    ),
]


EarOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=tr(
            "For recordings, the pretrained network of the first model: the one for pictures, on spectrograms "
            "({picture}), the one for speech ({speech}), {both}, or the one for sounds of the world ({yamnet}), which "
            "is downloaded once. The default is {auto}: the training recordings decide.",
            auto=DEFAULT_EAR,
            **{name: name for name in EARS},
        ),
    ),
]
AcceptOption = Annotated[
    bool,
    typer.Option(
        ACCEPT_CHANGED_WEIGHTS,
        help=tr("Use downloaded weights even if they differ from those of the first download."),
    ),
]


@command()
def train(
    context: typer.Context,
    project: ProjectArgument,
    *,
    preset: PresetOption = "standard",
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    resume: ResumeOption = False,
    device: DeviceOption = "auto",
    backbone: BackboneOption = "",
    weights: WeightsOption = None,
    front: FrontOption = "",
    ear: EarOption = "",
    wrong_at_most: WrongAtMostOption = None,
    accept_changed_weights: AcceptOption = False,
    json: JsonOption = False,
) -> None:
    """Teach the network the project's classes. Every finished run leaves a model that can be used."""
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise WrongUsageError(msg("Choose one of: {choices}.", choices="auto, cpu, cuda, mps"), option="--device")
    if resume and not ranks.rank():
        _say_what_stays(context, find_project(project))
    job = TrainJob(
        project=find_project(project),
        preset=preset_named(preset),
        epochs=epochs,
        seed=seed,
        resume=resume,
        device=device,
        backbone=backbone,
        weights=weights,
        wrong_at_most=None if wrong_at_most is None else rate_named(wrong_at_most),
        front=front_named(front),
        ear=ear_named(ear),
        accept_changed_weights=accept_changed_weights,
    )
    _teach(job, front=front, ear=ear, json=json)


def _say_what_stays(context: typer.Context, target: Path) -> None:
    """A run that goes on takes no other settings than it began with; the rest it writes down with its first model."""
    with Project.open(target) as opened:
        opened.runs.mark_interrupted()
        run = opened.runs.unfinished()
        idle = all(each.state != "running" for each in opened.runs.all())
        begun = run is not None and (opened.runs.folder(run.number) / "settings.toml").is_file()
    sources = {
        name: context.get_parameter_source(name)
        for name in ("preset", "seed", *(("epochs", "front", "ear", "wrong_at_most", "backbone") if begun else ()))
    }
    given = [name.replace("_", "-") for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    if given:
        options = ", ".join(f"--{name}" for name in given)
        print_error(msg("The run continues with its own settings. Ignored: {options}.", options=options))
    if run is None and idle:
        raise HandlensError(NOTHING_TO_RESUME)  # before torch takes its seconds and its gigabyte


def _teach(job: TrainJob, *, front: str, ear: str, json: bool) -> None:
    # Ended from outside it says how to go on; of several processes the helpers too, for where the first is lost nobody
    # else is left to.
    signal.signal(signal.SIGTERM, _cut_off if ranks.world_size() > 1 else signal.default_int_handler)
    if ranks.rank():
        _help(job)
        return
    asked = _looked_up(
        job.project, front=front, ear=ear
    )  # a wrong path is answered before torch takes its seconds to load
    if json:
        train_with(job, _print_event)
        return
    console = make_console()
    with LiveReport(console) as live:
        finished = train_with(job, live.show)
    _conclude(finished, job.project, asked, console)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the last words need to know of a project."""

    kind: KindName
    task: TaskName


def _looked_up(target: Path, *, front: str, ear: str) -> _Asked:
    """Raises HandlensError where there is no project, its originals have gone, or `front` or `ear` do not fit it."""
    with Project.open(target) as opened:
        if front and kind_named(opened.kind).input_name != "readings":
            raise HandlensError(
                msg("Only sensor logs can become different pictures. Leave out {option}.", option="--front")
            )
        if ear and kind_named(opened.kind).input_name != "waveform":
            raise HandlensError(
                msg("Only recordings have a choice of networks for sound. Leave out {option}.", option="--ear")
            )
        _ = opened.source_folder
        return _Asked(opened.kind, opened.task)


def _conclude(finished: Finished, target: Path, asked: _Asked, console: Console) -> None:
    if finished.test_accuracy is not None:
        with Project.open(target, to_read=True) as opened:
            tested = int(opened.predictions(finished.run).labelled("test").sum())
        task = task_named(asked.task)
        say(console, task.result(finished.test_accuracy, tested, asked.kind, interval=finished.test_interval))
    if finished.early:
        ended = msg(
            "Run {run} is finished after {duration}. It was stopped early and keeps its best model.",
            run=str(finished.run),
            duration=duration(finished.seconds),
        )
    else:
        ended = msg(
            "Run {run} is finished after {duration}.", run=str(finished.run), duration=duration(finished.seconds)
        )
    say(console, ended)
    if (result := adjusting_result(finished)) is not None:
        say(console, result)
    model = target / "runs" / f"{finished.run:04d}" / "model.onnx"
    say(console, msg("The model: {path}", path=str(model)))
    say(console, msg("Next: {command}", command=f'handlens evaluate "{target}"'))


def train_with(job: TrainJob, show: Callable[[Event], None]) -> Finished:
    """Train in this process and hand every event on; raises HandlensError where the run fails.

    Ctrl+C leaves the run to be resumed and says so.
    """
    try:
        last = run_to_end(job, show)
    except KeyboardInterrupt:
        sentence = msg("Interrupted. To continue: {command}", command=f'handlens train "{job.project}" --resume')
        show(Failed(message=sentence))
        raise InterruptedByUserError(sentence) from None
    assert isinstance(last, Finished)
    return last


def _help(job: TrainJob) -> None:
    """As one of several processes of `torchrun`: the first reads the project, writes, and speaks for all."""
    try:
        for event in run(job, NeverStop()):
            if isinstance(event, Failed):
                raise HandlensError(event.message, details=event.details)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _cut_off(_signal: int, _frame: object) -> None:
    """`torchrun` ends all processes when one is lost."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise HandlensError(
        msg(
            "This training, or another of its processes, was ended from outside. Everything up to the last finished "
            "pass is kept. Start it again with {option}.",
            option="--resume",
        )
    )


def _print_event(event: Event) -> None:
    if not isinstance(event, Showcase | Failed):  # the verb says itself how it ended
        print_json(as_json(event))
