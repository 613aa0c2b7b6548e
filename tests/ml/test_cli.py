"""The command line as a contract: what goes to stdout, what to stderr, and the exit codes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fabricate_several import mixed_project
from PIL import Image
from tiny_model import COLOURS, SIZE, WINDOWING

from ml.commands import common
from ml.commands.suspicious import SCORE_SAYS
from ml.core.backbone_catalog import OFFERED
from ml.core.events import EpochDone, Event, Failed, Finished, RunStarted, Showcase, StageStarted, Suspected
from ml.core.jobs import FRONTS, Job, Stop, TrainJob
from ml.core.messages import msg
from ml.core.stages import stage_message
from ml.core.types import PRESETS
from ml.media.kinds import kinds
from ml.pipeline import dispatch as engine
from ml.project.project import Project
from ml.runtime.model import ReleasedModel
from tests.ml.terminal import Handlens


def test_new_ends_with_what_was_created(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "red" / "1.png", folder / "blue" / "copy.png")
    done = handlens("new", tmp_path / "p", "--from", folder, "--json")
    assert (done.code, done.err) == (0, "")
    created = done.lines[-1]
    assert created["event"] == "created"
    assert created["samples"] == 31
    assert created["classes"] == {"blue": 11, "green": 10, "red": 10}
    assert [item["path"] for item in created["unreadable"]] == ["red/broken.png"]
    assert created["duplicates"] == [
        {"paths": ["blue/copy.png", "red/1.png"], "classes": ["blue", "red"], "conflicting": True}
    ]
    assert sum(created["split"].values()) == 31
    assert set(created["split"]) == {"train", "valid", "test"}


def test_new_says_the_same_in_words(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    done = handlens("new", tmp_path / "p", "--from", folder)
    assert done.code == 0
    assert "30 pictures in 3 classes" in done.out
    assert "red/broken.png" in done.out
    assert f'handlens train "{tmp_path / "p"}"' in done.out


def test_new_on_a_project_adds_files_and_keeps_splits(handlens: Handlens, folder: Path, project: Path) -> None:
    with Project.open(project) as opened:
        before = opened.splits()
    for number in range(5):
        Image.new("RGB", (SIZE, SIZE), (250, number, 0)).save(folder / "red" / f"later{number}.png")
    done = handlens("new", project, "--from", folder, "--json")
    assert done.code == 0
    assert (done.lines[-1]["added"], done.lines[-1]["samples"]) == (5, 35)
    with Project.open(project) as opened:
        after = opened.splits()
    assert before.items() <= after.items()
    assert len(after) == 35


def test_new_on_a_project_says_what_was_moved_what_was_changed_and_what_is_gone(
    handlens: Handlens, folder: Path, project: Path, tmp_path: Path
) -> None:
    (folder / "red").rename(folder / "rouge")
    (folder / "blue" / "1.png").unlink()
    Image.new("RGB", (SIZE, SIZE), (3, 250, 3)).save(folder / "green" / "2.png")
    done = handlens("new", project, "--from", folder, "--json")
    created = done.lines[-1]
    assert (created["added"], created["moved"], created["gone"]) == (0, 10, ["blue/1.png"])
    assert created["changed"] == ["green/2.png"]
    assert "1 file has a new content under the same name: green/2.png." in " ".join(created["findings"])
    assert (created["samples"], created["classes"]) == (29, {"blue": 9, "green": 10, "rouge": 10})
    told = handlens("new", project, "--from", folder).out
    assert "1 file is no longer in the folder: blue/1.png. It is left out" in told
    assert "moved" not in told


def test_new_refuses_another_folder_for_a_project_that_is_there(
    handlens: Handlens, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    done = handlens("new", project, "--from", tmp_path / "other")
    assert done.code == 1
    assert "already a project" in done.err


def test_new_takes_recordings_by_their_names(handlens: Handlens, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, size in (("loud", 0.9), ("quiet", 0.01)):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for number in range(5):
            sound = rng.uniform(-size, size, WINDOWING.rate)
            soundfile.write(tmp_path / "sounds" / name / f"{number}.wav", sound, WINDOWING.rate)
    done = handlens("new", tmp_path / "p", "--from", tmp_path / "sounds", "--json")
    assert done.code == 0
    assert done.lines[-1]["windowing"] == {"rate": 8000, "seconds": 1.0, "step": 1.0}
    assert done.lines[-1]["samples"] == 10


def test_new_takes_a_folder_without_labels(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    done = handlens("new", tmp_path / "p", "--from", folder / "red", "--json")
    assert done.code == 0
    assert done.lines[-1]["classes"] == {}
    assert done.lines[-1]["samples"] == 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "absent"], "no folder"),
        (["--from", "empty"], "empty"),
        (["--from", "one-class"], "only one class"),
        (["--from", "pictures", "--kind", "sensors"], "There are no logs in “pictures”, only 31 pictures."),
        (["--from", "pictures", "--split-by", "pattern:("], ""),
    ],
)
def test_new_refuses_in_one_sentence(
    handlens: Handlens,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copytree(folder / "green", tmp_path / "one-class" / "green")
    monkeypatch.chdir(tmp_path)
    done = handlens("new", "p", *arguments, "--json")
    assert done.code == 1
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["new", "p"],
        ["new", "p", "--from", ".", "--kind", "videos"],
        ["new", "p", "--from", ".", "--split-by", "moon"],
        ["train"],
        ["train", "p", "--preset", "fast"],
        ["train", "p", "--device", "abacus"],
        ["predict", "m.onnx"],
        ["sing"],
    ],
)
def test_wrong_usage_ends_with_2(handlens: Handlens, arguments: list[str]) -> None:
    done = handlens(*arguments)
    assert done.code == 2
    assert done.out == ""


FINISHED = Finished(run=1, seconds=2.5, valid_accuracy=0.9, test_accuracy=0.8, probe_accuracy=0.85)


def scripted(*events: Event, then: BaseException | None = None) -> Callable[[Job, Stop], Iterator[Event]]:
    def run(_job: Job, _stop: Stop) -> Iterator[Event]:
        yield from events
        if then is not None:
            raise then

    return run


EPOCH = EpochDone(epoch=1, epochs=2, train_loss=0.5, valid_loss=0.4, valid_accuracy=0.9, rate=0.001, best=True)


STARTED = RunStarted(run=1, resumed=False, train=18, valid=6, test=6, class_names=COLOURS)


SHOWCASE = Showcase(
    epoch=0, sample_ids=(1,), probabilities=np.ones((1, 3), np.float32), maps=np.ones((1, 3, 7, 7), np.float32)
)


def test_train_prints_events_and_ends_with_finished(
    handlens: Handlens, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = StageStarted(stage="probe")
    monkeypatch.setattr(common, "run", scripted(stage, STARTED, SHOWCASE, EPOCH, FINISHED))
    done = handlens("train", project, "--json")
    assert (done.code, done.err) == (0, "")
    assert [line["event"] for line in done.lines] == ["stage", "started", "epoch", "finished"]
    last = done.lines[-1]
    assert (last["run"], last["seconds"], last["valid_accuracy"]) == (1, 2.5, 0.9)
    assert (last["test_accuracy"], last["probe_accuracy"]) == (0.8, 0.85)


def test_train_says_in_words_what_happens(handlens: Handlens, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Project.open(trained) as opened:
        tested = sum(sample.split == "test" for sample in opened.samples())
    stage = StageStarted(stage="probe")
    monkeypatch.setattr(common, "run", scripted(stage, STARTED, EPOCH, FINISHED))
    done = handlens("train", trained)
    assert done.code == 0
    assert str(stage_message("probe")) in done.out
    assert "validation accuracy 90 %" in done.out
    assert f"of {tested} pictures" in done.out, "by what was predicted, whatever there was before the training"
    assert f'handlens evaluate "{trained}"' in done.out


def test_a_failed_training_is_one_sentence_and_code_1(
    handlens: Handlens, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "run", scripted(Failed(message=msg("The disk is full."), details="secret")))
    done = handlens("train", project, "--json")
    assert done.code == 1
    assert done.lines[-1]["event"] == "failed"
    assert done.lines[-1]["message"] == "The disk is full."
    assert done.err == "The disk is full.\n"


def test_ctrl_c_says_how_to_continue(handlens: Handlens, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "run", scripted(EPOCH, then=KeyboardInterrupt()))
    done = handlens("train", project, "--json")
    assert done.code == 130
    assert "--resume" in done.err
    assert done.lines[-1]["event"] == "failed"


def test_a_fault_is_one_sentence_with_details_on_request(
    handlens: Handlens, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "run", scripted(then=ZeroDivisionError("division by zero")))
    done = handlens("train", project)
    assert done.code == 1
    assert "HANDLENS_DEBUG=1" in done.err
    assert done.err.count("\n") == 1


def test_train_without_a_project_fails_in_both_languages(handlens: Handlens, tmp_path: Path) -> None:
    done = handlens("train", tmp_path / "absent", "--json")
    assert done.code == 1
    (line,) = done.lines
    assert (line["event"], line["message"], line["details"]) == ("failed", done.err.rstrip("\n"), "")


def test_the_demo_makes_samples_once_and_keeps_earlier_projects(
    handlens: Handlens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failed(message=msg("Nothing is trained in this test."))

    def run(job: Job, stop: Stop) -> Iterator[Event]:
        return scripted(failing)(job, stop) if isinstance(job, TrainJob) else engine.run(job, stop)

    monkeypatch.setattr(common, "run", run)
    first = handlens("demo", "--to", tmp_path, "--count", 30)
    samples = sorted((tmp_path / "samples").rglob("*.*"))
    made = [path.stat().st_mtime_ns for path in samples]
    again = handlens("demo", "--to", tmp_path, "--count", 30)
    assert first.err == again.err == "Nothing is trained in this test.\n"
    assert "already in" in again.out
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "samples").rglob("*.*"))] == made
    assert len(list(tmp_path.glob("*.handlens"))) == 2


def test_a_project_is_not_split_anew_behind_its_back(handlens: Handlens, project: Path, folder: Path) -> None:
    done = handlens("new", project, "--from", folder, "--split-by", "folder")
    assert done.code == 1
    assert "is already split by" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "cuda"), "no CUDA device"),
        (("--backbone", "resnet999"), "There is no network called resnet999"),
        (("--weights", "nowhere.safetensors"), "There is no file nowhere.safetensors"),
        (("--backbone", "resnet18", "--weights", "nowhere.safetensors"), "There is no file nowhere.safetensors"),
    ],
)
def test_what_is_not_there_is_said_before_a_run_begins(
    handlens: Handlens, project: Path, options: tuple[str, ...], said: str
) -> None:
    import torch  # slow to load, and nothing else here needs it

    if torch.cuda.is_available() and "cuda" in options:
        pytest.skip("there is a CUDA device")
    done = handlens("train", project, *options)
    assert done.code == 1
    assert said in done.err
    with Project.open(project) as opened:
        assert opened.runs.all() == ()


def test_export_writes_a_model_that_can_be_used(
    handlens: Handlens, trained: Path, folder: Path, tmp_path: Path
) -> None:
    assert handlens("export", trained, "--to", tmp_path / "deep" / "m.onnx").code == 0
    done = handlens("predict", tmp_path / "deep" / "m.onnx", folder / "red" / "0.png", "--json")
    assert done.lines[0]["label"] == "red"
    mine = tmp_path / "mine.onnx"
    mine.write_text("mine")
    refused = handlens("export", trained, "--to", mine)
    assert (refused.code, mine.read_text()) == (1, "mine")
    assert "is not a Handlens model. Give another name." in refused.err
    refused = handlens("export", trained, "--to", tmp_path / "m.tflite")
    assert refused.code == 1
    assert "Models are written as .onnx, " in refused.err


def test_a_run_can_be_exported_for_another_share_of_wrong_answers(
    handlens: Handlens, trained: Path, tmp_path: Path
) -> None:
    target = tmp_path / "m.onnx"
    done = handlens("export", trained, "--to", target, "--wrong-at-most", "10%", "--json")
    assert done.lines[0]["wrong_at_most"] == 0.1
    assert ReleasedModel.open(target).info.wanted_error == 0.1
    with Project.open(trained) as project:
        project.set_wrong_at_most(0.2)
    assert "20 of 100 accepted answers" in handlens("export", trained, "--to", target).out
    assert ReleasedModel.open(target).info.wanted_error == 0.2
    assert handlens("export", trained, "--to", target, "--wrong-at-most", "often").code == 2


def test_suspicious_says_where_in_a_recording_a_label_may_be_wrong(
    handlens: Handlens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("wind", "owl"):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for number in range(4):
            noise = np.random.default_rng(number).normal(0, 0.1, 8000 * 12)
            soundfile.write(tmp_path / "sounds" / name / f"{number}.wav", noise, 8000)
    assert handlens("new", tmp_path / "p", "--from", tmp_path / "sounds").code == 0
    with Project.open(tmp_path / "p") as opened:
        second = opened.samples()[1]
    found = Suspected(
        run=1, sample_ids=(second.id,), labels=((0,),), suggested=(1,), scores=(0.9,), flagged=1, confirmed=0
    )
    monkeypatch.setattr(common, "run", scripted(found))
    told = handlens("suspicious", tmp_path / "p").out
    assert str(SCORE_SAYS) in told
    rows = [line.split() for line in told.splitlines()]
    assert ["file", "where", "label", "looks", "like", "score"] in rows
    assert ["owl/0.wav", f"{second.start:g}–{second.end:g}", "s", "owl", "wind", "0.90"] in rows


def test_runs_are_listed(handlens: Handlens, trained: Path) -> None:
    (line,) = handlens("runs", trained, "--json").lines
    assert (line["number"], line["state"], line["preset"]) == (1, "finished", "quick")
    listed = handlens("runs", trained).out
    assert "finished" in listed
    assert "score" not in listed


def test_what_a_score_is_stands_below_the_runs_where_several_classes_may_be_present(
    handlens: Handlens, tmp_path: Path
) -> None:
    with mixed_project(tmp_path / "p.handlens") as opened:
        run = opened.runs.begin(preset="quick", seed=0, class_names=("a", "b"))
        opened.runs.update(run.number, state="finished", valid_accuracy=0.92, test_accuracy=0.9)
    listed = handlens("runs", tmp_path / "p.handlens").out
    assert "92 of 100" in listed
    assert "The score (mean average precision) says how well" in listed


def test_what_has_to_be_typed_is_whole_in_a_narrow_terminal(
    handlens: Handlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = handlens("train", "--help").out
    for name in (*(item.name for item in OFFERED), *PRESETS, *FRONTS, "auto", "cpu", "cuda", "mps"):
        assert name in told
    told = handlens("new", "--help").out
    for name in (*(kind.name for kind in kinds()), "folder", "recording", "pattern:REGEX"):
        assert name in told


def test_help_and_version_are_there(handlens: Handlens) -> None:
    helped = handlens("--help")
    assert helped.code == 0
    for verb in ("demo", "new", "train", "evaluate", "predict", "export", "relink", "restore", "runs", "doctor"):
        assert verb in helped.out
    assert handlens("--version").out.startswith("Handlens ")


def test_the_doctor_answers_in_json(handlens: Handlens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.doctor.devices", lambda: {"cpu": "2 cores"})
    (line,) = handlens("doctor", "--json").lines
    assert {"python", "system", "devices", "versions", "weights", "missing", "command"} <= set(line)
    assert line["versions"]["numpy"]
