"""What the network will see or hear is checked before training, and named again where the score is poor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image

from ml.core.events import Failed, Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import english, msg
from ml.core.scan_report import ScanReport
from ml.core.types import KindName
from ml.evaluation.run_finding import RunFinding
from ml.project.data_findings import DataFindings, data_findings_in, data_findings_text
from ml.project.scan.checks import findings
from ml.project.scan.multilabel import for_task
from ml.project.scan.scan import scan
from ml.release.assess import with_data_findings
from tests.cases import make_case
from tests.ml.terminal import Handlens

Pixels = Callable[[np.random.Generator], NDArray[np.float64]]


def scanned(folder: Path, kind: KindName) -> ScanReport:
    last = list(scan(ScanJob(folder=folder, kind=kind, new=True), NeverStop()))[-1]
    assert isinstance(last, Scanned), english(last.message) if isinstance(last, Failed) else last
    return for_task(last.report, "single")


def said(report: ScanReport) -> dict[str, tuple[str, ...]]:
    return {english(finding.sentence): finding.paths for finding in findings(report)}


def pictures(folder: Path, pixels: Pixels, *, count: int = 6, name: str = "{}.png", size: int = 40) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(folder.name))
    for number in range(count):
        values = np.clip(pixels(rng), 0, 255).astype(np.uint8)
        image = Image.fromarray(np.repeat(np.repeat(values, size // 20, axis=0), size // 20, axis=1))
        exif = Image.Exif()
        if name.endswith(".jpg"):
            exif[0x010F], exif[0x0110] = "Maker", f"Camera {len(folder.name)}"
        image.save(folder / name.format(number), exif=exif)


def noise(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.normal(120, 50, (20, 20))


def sounds(folder: Path, gain: float, *, count: int = 6) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(folder.name))
    for number in range(count):
        soundfile.write(folder / f"{number}.wav", np.clip(gain * rng.normal(0, 0.1, 8000), -1, 1), 8000)


def test_pictures_that_show_nothing_are_named(tmp_path: Path) -> None:
    for name in ("cat", "horse"):
        pictures(tmp_path / name, noise)
    pictures(tmp_path / "cat", lambda _rng: np.full((20, 20), 77.0), count=2, name="blank{}.png")
    pictures(tmp_path / "horse", lambda rng: rng.integers(100, 113, (20, 20)).astype(float), count=3, name="few{}.png")
    found = said(scanned(tmp_path, "images"))
    blank = next(paths for sentence, paths in found.items() if sentence.startswith("2 of the pictures are blank"))
    assert blank == ("cat/blank0.png", "cat/blank1.png")
    assert any(sentence.startswith("3 of the pictures use only 13 of 256 grey levels") for sentence in found)


def test_drawings_in_black_and_white_are_fine(tmp_path: Path) -> None:
    for name in ("cat", "horse"):
        pictures(tmp_path / name, lambda rng: 255.0 * (rng.random((20, 20)) < 0.1))
    assert said(scanned(tmp_path, "images")) == {
        "2 classes have fewer than 10 pictures, too few for a reliable score: “cat” and “horse”.": tuple(
            f"{name}/{number}.png" for name in ("cat", "horse") for number in range(6)
        )
    }


@pytest.mark.parametrize(("case", "folder"), [("05", "clear"), ("02", "thermal"), ("03", "faint")])
def test_deep_and_transparent_pictures_are_judged_as_they_are_used(tmp_path: Path, case: str, folder: str) -> None:
    found = said(scanned(make_case(case, tmp_path) / folder, "images"))
    assert not [sentence for sentence in found if "blank" in sentence or "grey levels" in sentence]


def test_one_class_of_another_size_format_and_camera(tmp_path: Path) -> None:
    pictures(tmp_path / "cat", noise)
    pictures(tmp_path / "horse", noise)
    pictures(tmp_path / "elephant", noise, name="{}.jpg", size=80)
    found = said(scanned(tmp_path, "images"))
    for word in ("in size: nearly all of its pictures have 80 × 80", "in format: nearly", "in the camera: nearly"):
        beginning = f"“elephant” differs from the other classes {word}"
        (paths,) = [paths for sentence, paths in found.items() if sentence.startswith(beginning)]
        assert paths == tuple(f"elephant/{number}.jpg" for number in range(6))


def test_silent_clipped_and_louder_recordings(tmp_path: Path) -> None:
    sounds(tmp_path / "owl", 1.0)
    sounds(tmp_path / "frog", 0.01)
    sounds(tmp_path / "frog" / "dead", 0.0, count=2)
    sounds(tmp_path / "owl" / "loud", 30.0, count=3)
    found = list(said(scanned(tmp_path, "recordings")))
    assert any(sentence.startswith("2 of the recordings are silent.") for sentence in found)
    assert any(sentence.startswith("3 of the recordings are clipped") for sentence in found)
    assert any("“frog” differs from the other classes in loudness" in sentence for sentence in found)


def glare(rng: np.random.Generator) -> NDArray[np.float64]:
    y, x = np.indices((20, 20)) - 9.5
    return 420 - 30 * np.hypot(x, y) + rng.normal(0, 4, (20, 20))


def test_a_class_that_is_lost_in_glare_or_in_the_dark_is_named(tmp_path: Path) -> None:
    pictures(tmp_path / "cat", glare)
    pictures(tmp_path / "horse", lambda rng: 255 - glare(rng))
    pictures(tmp_path / "elephant", noise)
    pictures(tmp_path / "elephant", glare, count=2, name="bright{}.png")
    found = {sentence: paths for sentence, paths in said(scanned(tmp_path, "images")).items() if "exposed" in sentence}
    assert {sentence[: sentence.index(" in the middle")]: len(paths) for sentence, paths in found.items()} == {
        "Most pictures of “cat” are plain white": 6,
        "Most pictures of “horse” are plain black": 6,
    }


@pytest.mark.parametrize(
    "pixels",
    [
        lambda rng: np.where(rng.random((20, 20)) < 0.1, 30.0, 255.0),  # a drawing on white
        lambda rng: np.where(np.hypot(*(np.indices((20, 20)) - 9.5)) < 6, 255.0, noise(rng) * 0.5),  # a white sign
        lambda rng: np.where(np.hypot(*(np.indices((20, 20)) - 9.5)) < 6, noise(rng), 255.0),  # cut out, on white
        lambda _rng: np.where(np.hypot(*(np.indices((20, 20)) - 9.5)) < 6, 255.0, 0.0),  # black and white
        lambda rng: glare(rng) - 200,  # bright, and all of it there
    ],
    ids=["drawing", "sign", "cut out", "silhouette", "bright"],
)
def test_white_that_may_be_meant_is_not_called_lost(tmp_path: Path, pixels: Pixels) -> None:
    pictures(tmp_path / "cat", pixels)
    pictures(tmp_path / "horse", noise)
    assert not [sentence for sentence in said(scanned(tmp_path, "images")) if "exposed" in sentence]


def test_pictures_that_are_all_alike(tmp_path: Path) -> None:
    for name in ("cat", "horse"):
        pictures(tmp_path / name, lambda rng: np.indices((20, 20)).sum(axis=0) * 5.0 + (rng.random((20, 20)) < 0.02))
    assert any("Nearly all pictures look the same" in sentence for sentence in said(scanned(tmp_path, "images")))


def test_calls_above_what_is_heard_are_heard_slower(tmp_path: Path) -> None:
    found = said(scanned(make_case("12", tmp_path) / "bats", "recordings"))
    assert any("The recordings are heard 8 times slower" in sentence for sentence in found)


def test_a_poor_score_is_first_explained_by_the_files(tmp_path: Path) -> None:
    pictures(tmp_path / "cat", noise)
    pictures(tmp_path / "horse", lambda _rng: np.full((20, 20), 77.0))
    kept = data_findings_in(data_findings_text(scanned(tmp_path, "images")))
    assert kept.blank == 0.5
    assert [warning.paths for warning in kept.warnings] == [tuple(f"horse/{number}.png" for number in range(6))]
    heart = RunFinding(about="by heart", level="note", sentence=msg("It has memorised them."))
    small = RunFinding(about="small", level="note", sentence=msg("There are too few."))
    poor = with_data_findings([heart, small], kept, score=0.5, classes=2)
    assert [remark.about for remark in poor] == ["data", "small"]
    assert "6 of the pictures are blank" in english(poor[0].sentence)
    assert with_data_findings([heart, small], kept, score=0.95, classes=2) == [small]
    bare = dataclasses.replace(kept, blank=0.0, warnings=())
    assert with_data_findings([heart, small], bare, score=0.5, classes=2) == [heart, small]
    assert data_findings_in("[1, 2") == DataFindings()


def test_the_terminal_gives_every_finding_with_its_files(handlens: Handlens, tmp_path: Path) -> None:
    for name in ("cat", "horse"):
        pictures(tmp_path / "in" / name, noise)
    pictures(tmp_path / "in" / "cat", lambda _rng: np.full((20, 20), 77.0), count=1, name="blank{}.png")
    line = handlens("new", tmp_path / "made", "--from", tmp_path / "in", "--json").lines[-1]
    found = zip(line["findings"], line["findings_severity"], line["findings_files"], strict=True)
    assert [rest for sentence, *rest in found if "is blank" in sentence] == [["warn", ["cat/blank0.png"]]]
