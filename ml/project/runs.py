"""The runs of a project: their numbers, folders and results."""

from __future__ import annotations

import csv
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from filelock import FileLock, Timeout

from ml.core.disk import flush
from ml.core.errors import HandlensError
from ml.core.messages import Message, dumps, loads, msg
from ml.core.types import Preset, RunInfo
from ml.core.untrusted import LONGEST_PATH, finite, whole_in
from ml.project import store as tables
from ml.project.run_notes import DELETED, NOTES, deleted_in, deleted_text, notes_in, notes_text
from ml.project.run_settings import read_run_settings
from ml.project.store import Store

NOTHING_TO_RESUME = msg("There is no interrupted run to resume. Train without --resume.")
FIRST = "first"
"""Folder of a run with its first model, while a better one is in the making."""
ADJUSTING = "adjusting"
"""Empty file beside it: the first model is the model of the run."""
_LARGEST_HISTORY = 16 << 20
_MOST_EPOCHS = 100_000


class EpochRecord(NamedTuple):
    """One pass over the data, counted from 1: None for what was not measured."""

    number: int
    train_loss: float | None
    valid_loss: float | None
    accuracy: float | None
    rate: float | None


class Runs:
    """Reads and writes the `run` table and the folders `runs/0001`, `runs/0002`, …"""

    def __init__(self, project: Path, store: Store) -> None:
        self._project = project
        self._store = store

    def folder(self, run: int) -> Path:
        return self._project / "runs" / f"{run:04d}"

    def results(self, run: int) -> Path:
        """Return the folder with the model, the predictions and the findings of run `run`.

        While its network is adjusted these are of the first model. The better ones appear at once: when all are there,
        the file that says so is removed.
        """
        folder = self.folder(run)
        return folder / FIRST if self.adjusting(run) else folder

    def adjusting(self, run: int) -> bool:
        """Return whether run `run` has a first model whose network is being adjusted, or was when that was cut off."""
        return (self.folder(run) / ADJUSTING).is_file()

    def all(self) -> tuple[RunInfo, ...]:
        """Every run that was not cancelled, the oldest first."""
        query = sa.select(tables.runs).where(tables.runs.c.state != "cancelled").order_by(tables.runs.c.number)
        with self._store.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            RunInfo(
                **{
                    **row,
                    "class_names": tuple(row["class_names"]),
                    "message": loads(row["message"]) if row["message"] else None,
                }
            )
            for row in rows
        )

    def newest(self, *states: str) -> RunInfo | None:
        """The newest run in one of `states` ("finished" if none is named)."""
        matching = [run for run in self.all() if run.state in (states or ("finished",))]
        return matching[-1] if matching else None

    def unfinished(self) -> RunInfo | None:
        """The newest interrupted or failed run, or finished one whose adjusting was cut off; rather an older one that
        stands in the middle than one that had hardly begun."""
        matching = [run for run in self.all() if run.state in ("interrupted", "failed") or self.adjusting(run.number)]
        standing = [run for run in matching if self.has_checkpoint(run.number)]
        return next(reversed(standing or matching), None)

    def resumable(self, class_names: tuple[str, ...]) -> RunInfo | None:
        """Return the run that a resumed training would continue; None without one.

        A run without a checkpoint would start again, so it counts only while it is the newest run.
        """
        run = self.unfinished()
        if run is None or run.class_names != class_names:
            return None
        paused = run.state == "interrupted" or self.adjusting(run.number)
        newest = paused and run.number == self.all()[-1].number
        return run if newest or self.has_checkpoint(run.number) else None

    def has_checkpoint(self, run: int) -> bool:
        """Whether run `run` left passes to go on from."""
        return (self.folder(run) / "checkpoint" / "latest.safetensors").is_file()

    def history(self, run: int) -> tuple[EpochRecord, ...]:
        """What run `run` wrote down after each of its passes; nothing where that cannot be read."""
        try:
            path = self.folder(run) / "history.csv"
            if path.stat().st_size > _LARGEST_HISTORY:
                return ()
            with path.open(newline="", encoding="utf-8") as file:
                return tuple(_pass(row) for row in csv.DictReader(file) if int(row["epoch"]) >= 1)
        except (OSError, ValueError, KeyError, TypeError, csv.Error):
            return ()

    def finished(self, run: int | None = None) -> RunInfo:
        """Run number `run`, or the newest finished one; raises where there is none."""
        if run is None:
            found = self.newest()
            if found is None:
                raise HandlensError(msg("This project has no finished run yet. Train it first."))
            return found
        for candidate in self.all():
            if candidate.number == run and candidate.state == "finished":
                return candidate
        known = tuple(str(item.number) for item in self.all() if item.state == "finished")
        if not known:
            raise HandlensError(msg("This project has no finished run yet. Train it first."))
        raise HandlensError(
            msg("There is no finished run {run} in this project. Its finished runs: {runs}.", run=str(run), runs=known)
        )

    def target_error(self, run: int) -> float | None:
        """The share of wrong answers among the accepted ones that run `run` was made for; None where that is gone."""
        try:
            settings = read_run_settings(self.folder(run))
        except HandlensError:
            return None
        share = settings.get("job", {}).get("wrong_at_most")
        return share if isinstance(share, float) and 0.0 < share < 1.0 else None

    def begin(self, *, preset: Preset, seed: int, class_names: tuple[str, ...]) -> RunInfo:
        """A new run with the next number, in state "running"; its folder exists when this returns."""
        with self._store.writing() as connection:
            highest = connection.execute(sa.select(sa.func.coalesce(sa.func.max(tables.runs.c.number), 0))).scalar_one()
            info = RunInfo(
                number=int(highest) + 1,
                state="running",
                preset=preset,
                seed=seed,
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
                class_names=class_names,
            )
            values = {name: getattr(info, name) for name in info.__slots__}
            values |= {"class_names": list(class_names), "message": ""}
            connection.execute(tables.runs.insert().values(**values))
            self.folder(info.number).mkdir(parents=True, exist_ok=True)
        return info

    def update(self, run: int, **values: object) -> None:
        """Set columns of run `run`, e.g. `state="finished", valid_accuracy=0.9`. No `message`: None."""
        if "message" in values:
            message = values["message"]
            values["message"] = dumps(message) if isinstance(message, Message) else str(message or "")
        with self._store.writing() as connection:
            connection.execute(tables.runs.update().where(tables.runs.c.number == run).values(**values))

    def show_first(self, run: int, **values: object) -> None:
        """Let `results` of run `run` be its complete first model, and set the columns of a finished run."""
        (self.folder(run) / ADJUSTING).touch()
        flush(self.folder(run))
        self.update(run, state="finished", **values)

    def finish(self, run: int, **values: object) -> None:
        """Let `results` of run `run` be those in its own folder, and set its columns."""
        with self._store.writing() as connection:
            columns = {"state": "finished", **values}
            connection.execute(tables.runs.update().where(tables.runs.c.number == run).values(**columns))
            # Before the commit, which can hardly fail any more: scores and model change together.
            (self.folder(run) / ADJUSTING).unlink(missing_ok=True)
            flush(self.folder(run))
        shutil.rmtree(self.folder(run) / FIRST, ignore_errors=True)

    def keep_first(self, run: int, **values: object) -> RunInfo:
        """End run `run` with its first model, set its columns, and return its facts."""
        first, folder = self.folder(run) / FIRST, self.folder(run)
        for name in ("predictions", "predictions.part", "earlier.part"):  # of a better one that was not completed
            shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(first, folder, copy_function=_link_or_copy, dirs_exist_ok=True)
        flush(folder)
        self.finish(run, **values)
        return self.finished(run)

    def discard(self, run: int) -> None:
        """The user cancelled run `run`: its folder goes, its number is never used again."""
        self.update(run, state="cancelled")
        shutil.rmtree(self.folder(run), ignore_errors=True)

    def notes(self) -> dict[int, str]:
        """What the person wrote about runs, by their number."""
        return notes_in(self._stored(NOTES))

    def set_note(self, run: int, note: str) -> None:
        """Keep a note about run `run`; an empty one removes it."""
        with self._store.writing() as connection:
            stored = notes_in(tables.meta_value(connection, NOTES) or "{}")
            tables.set_meta_value(connection, NOTES, notes_text({**stored, run: note.strip()[:LONGEST_PATH]}))

    def delete(self, run: int) -> None:
        """Hide run `run`, which nobody trains. Its folder stays until `purge_deleted`, so that it can come back."""
        with self._store.writing() as connection:
            here = tables.runs.c.number == run
            state = connection.execute(sa.select(tables.runs.c.state).where(here)).scalar_one()
            stored = deleted_in(tables.meta_value(connection, DELETED) or "{}")
            tables.set_meta_value(connection, DELETED, deleted_text({**stored, run: state}))
            connection.execute(tables.runs.update().where(here).values(state="cancelled"))

    def undelete(self, run: int) -> None:
        """Bring back run `run`, which was deleted and not purged."""
        with self._store.writing() as connection:
            stored = deleted_in(tables.meta_value(connection, DELETED) or "{}")
            state = stored.pop(run)
            tables.set_meta_value(connection, DELETED, deleted_text(stored))
            connection.execute(tables.runs.update().where(tables.runs.c.number == run).values(state=state))

    def purge_deleted(self) -> None:
        """Remove the folders of deleted runs; they cannot come back any more. Their numbers are never used again."""
        deleted = deleted_in(self._stored(DELETED))
        for run in deleted:
            shutil.rmtree(self.folder(run), ignore_errors=True)
        if deleted:
            with self._store.writing() as connection:
                notes = notes_in(tables.meta_value(connection, NOTES) or "{}")
                left = {run: note for run, note in notes.items() if run not in deleted}
                tables.set_meta_value(connection, NOTES, notes_text(left))
                tables.set_meta_value(connection, DELETED, "{}")

    def _stored(self, key: str) -> str:
        with self._store.reading() as connection:
            return tables.meta_value(connection, key) or "{}"

    def mark_interrupted(self) -> None:
        """Runs that say "running" while nobody trains were cut off; say so. Does nothing while somebody trains."""
        lock = FileLock(self._project / ".train.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return
        try:
            self.mark_interrupted_now()
        finally:
            lock.release()

    def mark_interrupted_now(self) -> None:
        """The same, for a caller that holds the training lock."""
        with self._store.writing() as connection:
            connection.execute(tables.runs.update().where(tables.runs.c.state == "running").values(state="interrupted"))


def _link_or_copy(source: str, target: str) -> None:
    """Give a file that never changes a second name; copy it where the disk knows no links."""
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _pass(row: dict[str, str]) -> EpochRecord:
    columns = ("train_loss", "valid_loss", "valid_accuracy", "rate")
    number = whole_in(int(row["epoch"]), "epoch", 1, _MOST_EPOCHS)
    return EpochRecord(number, *(finite(float(row[column])) if row[column] else None for column in columns))
