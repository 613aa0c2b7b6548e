"""By how much a named probability is off, before and after calibration, on samples that were kept for the test."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from ml.core.events import Evaluated
from ml.core.jobs import EvaluateJob, NeverStop
from ml.pipeline.dispatch import run
from tests.benchmarks.projects import PLACES, parser_for, trained


def main(arguments: list[str]) -> int:
    parser = parser_for("calibration", __doc__)
    parser.add_argument("--sets", nargs="*", choices=sorted(PLACES), default=list(PLACES))
    parser.add_argument("--preset", choices=("quick", "standard", "thorough"), default="quick")
    given = parser.parse_args(arguments)
    print("calibration error (0…1) on the test split, of the same model before and after")
    with ExitStack() as stack:
        place = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in given.sets:
            project = trained(given.data, name, place, preset=given.preset)
            told = list(run(EvaluateJob(project=project), NeverStop()))[-1]
            assert isinstance(told, Evaluated), told
            assert told.ece_before is not None
            print(
                f"  {name:18s} n {told.n:4d}  right {told.accuracy:.3f}  before {told.ece_before:.3f}  "
                f"after {told.ece:.3f}",
                flush=True,
            )
    return 0
