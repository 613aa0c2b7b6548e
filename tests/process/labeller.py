"""Run as a program by test_kill.py: labels and trains a project at once, and says on stdout what is surely on disk."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from pathlib import Path

from ml.core.events import Failed, Progress, Showcase
from ml.core.jobs import NeverStop, TrainJob
from ml.pipeline.worker import Worker
from ml.project.project import Project


def _say(line: str) -> None:
    # One write to the pipe: lines of the two threads must not mix, and a kill must not leave half of one.
    os.write(1, f"{line}\n".encode())


def _label(project: Project, ended: threading.Event) -> None:
    ids = [sample.id for sample in project.samples()]
    for turn in itertools.count():
        sample, label = ids[turn % len(ids)], (turn // len(ids) + turn) % 2
        project.set_labels([sample], [label], annotator="labeller")
        _say(f"label {sample} {label}")
        if ended.wait(0.01):
            return


def main() -> None:
    place, resume = Path(sys.argv[1]), sys.argv[2] == "resume"
    ended = threading.Event()
    with Project.open(place) as project:
        _say("open")
        thread = threading.Thread(target=_label, args=(project, ended))
        thread.start()
        job = TrainJob(project=place, preset="standard", epochs=60, resume=resume, device="cpu")
        for event in Worker().run(job, NeverStop()):
            if isinstance(event, Failed):
                print(event.details, file=sys.stderr, flush=True)
            if not isinstance(event, Progress | Showcase):
                _say(f"event {type(event).__name__} {getattr(event, 'message', '')}")
        ended.set()
        thread.join()


if __name__ == "__main__":
    main()
