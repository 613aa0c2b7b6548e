"""What tests of the command line share: a folder of pictures, a project of it, and a finished run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cases import make_case
from PIL import Image
from tiny_model import COLOURS, SIZE, write_colour_model

from ml.cli import main
from ml.media.images import load_squashed
from ml.project.predictions import SPLIT_CODES, PredictionWriter
from ml.project.project import Project
from ml.runtime.model import ReleasedModel
from tests.ml.terminal import Done, Handlens


@pytest.fixture
def handlens(capsys: pytest.CaptureFixture[str]) -> Handlens:
    def run(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten noisy pictures each of red, green and blue, and one file that is no picture."""
    rng = np.random.default_rng(0)
    for channel, name in enumerate(COLOURS):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 90, (SIZE, SIZE, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.png")
    (tmp_path / "pictures" / "red" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "pictures"


@pytest.fixture
def project(handlens: Handlens, folder: Path, tmp_path: Path) -> Path:
    assert handlens("new", tmp_path / "colours", "--from", folder, "--json").code == 0
    return tmp_path / "colours"


@pytest.fixture
def trained(project: Path) -> Path:
    """The project with a finished run of the model that names colours."""
    add_colour_run(project, COLOURS)
    return project


def add_colour_run(project: Path, names: tuple[str, ...]) -> None:
    """Add a finished run of the model that names colours; `names` are the classes that are red, green and blue."""
    with Project.open(project) as opened:
        samples = opened.samples()
        classes = tuple(item.name for item in opened.classes())
        run = opened.runs.begin(preset="quick", seed=0, class_names=classes)
        model_file = write_colour_model(opened.runs.folder(run.number) / "model.onnx", classes=names)
        pixels = np.stack([load_squashed(opened.source_folder / s.path, SIZE) for s in samples])
        said = ReleasedModel.open(model_file).predict(pixels)
        order = [names.index(name) for name in classes]
        writer = PredictionWriter(
            opened.runs.folder(run.number) / "predictions",
            samples=len(samples),
            classes=3,
            embedding=3,
            map_size=(7, 7),
        )
        writer.write(
            sample_ids=np.array([s.id for s in samples]),
            labels=np.array([s.label for s in samples]),
            splits=np.array([SPLIT_CODES.index(s.split or "none") for s in samples]),
            probabilities=said.probabilities[:, order],
            embeddings=said.embedding,
            maps=said.maps[:, order],
        )
        writer.close()
        opened.runs.update(run.number, state="finished", seconds=3.0, test_accuracy=1.0)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes a case once for all tests of a module, which only read it."""
    made: dict[str, Path] = {}

    def make(number: str) -> Path:
        if number not in made:
            made[number] = make_case(number, tmp_path_factory.mktemp(f"case{number}") / "made")
        return made[number]

    return make
