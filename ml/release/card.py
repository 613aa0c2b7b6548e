"""Write the model card: what a model is, what it was trained on, how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ml.core.messages import Message, english, msg, nmsg
from ml.core.printable import markdown
from ml.core.types import RunInfo
from ml.evaluation.run_finding import RunFinding
from ml.project.project import Project
from ml.runtime.contract import ModelInfo
from ml.scoring.multilabel import rule_of
from ml.scoring.task import CalibrationError, Interval, Part
from ml.scoring.tasks import task_named


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredFacts:
    """What the finished model said of each split, with the confidence intervals of its scores.

    `files`: how many the samples of the test split are from, or of the validation split without one."""

    valid: Part
    test: Part
    valid_interval: Interval | None
    test_interval: Interval | None
    files: int
    again: bool
    """Whether it learned from the validation split, too, after that was judged."""


LEARNED_AGAIN = msg(
    "The final training also used the validation samples. The validation scores were measured before it."
)


def model_card(project: Project, info: ModelInfo, known: MeasuredFacts, remarks: Sequence[RunFinding]) -> str:
    """Return the card as Markdown, in English."""
    run = next(item for item in project.runs.all() if item.number == info.run)
    task, names = task_named(info.task), tuple(map(markdown, info.classes))
    error = CalibrationError(before=info.ece_before, after=info.ece, temperature=info.temperature)
    scores = [
        task.card_score(known.test, "test", info.kind, known.test_interval),
        task.card_score(known.valid, "valid", info.kind, known.valid_interval),
        *([LEARNED_AGAIN] if known.again else []),
        *task.card_notes(),
        task.card_calibration(known.valid, error),
        _compared(info.parity_samples, info.parity_difference),
    ]
    lines = [f"# {english(msg('{project}, run {run}', project=markdown(project.name), run=str(info.run)))}", ""]
    lines += [english(task.purpose(names, info.kind)), english(_made(info.created_at, run)), ""]
    lines += [f"## {english(msg('How good it is'))}", "", *map(english, scores), ""]
    part = known.test if len(known.test[1]) else known.valid
    if len(part[1]):
        if not task.exclusive:
            lines += [english(rule_of(info.wanted_error, promised=info.promised)), ""]
        lines += [*task.card_table(part, names, files=known.files, thresholds=info.present_above), ""]
        lines += [english(IN_BRACKETS), ""]
    lines += ["## " + english(msg("Findings at the end of the run")), ""]
    lines += [*(f"- {markdown(english(remark.sentence))}" for remark in remarks), "", english(_split(project)), ""]
    return "\n".join(lines)


IN_BRACKETS = msg("In brackets: the 95 % confidence interval.")


def _made(created_at: str, run: RunInfo) -> Message:
    """When and how a run was made."""
    return msg(
        "Made {created_at} with the preset “{preset}”, seed {seed}.",
        created_at=created_at,
        preset=run.preset,
        seed=str(run.seed),
    )


def _compared(samples: int, difference: float) -> Message:
    """How near the exported file is to the trained network."""
    shown = f"{difference:.1e}"
    return nmsg(
        "The exported file was compared with the trained network on {count} sample. The largest difference in "
        "probability was {difference}.",
        "The exported file was compared with the trained network on {count} samples. The largest difference in "
        "probability was {difference}.",
        samples,
        difference=shown,
    )


def _split(project: Project) -> Message:
    """How the data was divided."""
    why = english(project.split_why)
    if why:
        return msg("How the data was split: {why}", why=why)
    return msg("How the data was split: at random, class by class.")
