"""What Handlens leaves on a disk: the user's permissions, no drafts, nothing in the temp folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import image_folder, project_of
from PIL import Image

from ml.core import disk
from ml.core.disk import making_folder, replacing, write_text
from ml.demo.projects import write_samples
from ml.pictures.axes import save_png
from tests.conftest import Demo
from tests.ml.terminal import Handlens

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")


@pytest.fixture(params=[0o002, 0o027, 0o077], ids=["group", "readers", "private"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def wrong_modes(folder: Path, umask: int) -> dict[str, str]:
    """Everything in `folder` whose permissions are not what the umask asks for."""
    expected = {path: (0o777 if path.is_dir() else 0o666) & ~umask for path in [folder, *folder.rglob("*")]}
    return {str(path): oct(mode(path)) for path, wanted in expected.items() if mode(path) != wanted}


@posix
def test_a_project_has_the_permissions_that_the_umask_asks_for(tmp_path: Path, umask: int) -> None:
    with project_of(image_folder(tmp_path / "fruit", each=4), tmp_path / "fruit.handlens", kind="images") as project:
        project.lock("train").release()
        assert wrong_modes(project.path, umask) == {}


@posix
@pytest.mark.parametrize("kind", ["images", "recordings"])
def test_samples_have_the_permissions_that_the_umask_asks_for(tmp_path: Path, umask: int, kind: str) -> None:
    list(write_samples(tmp_path / "samples", kind, count=4))  # type: ignore[arg-type]
    assert wrong_modes(tmp_path / "samples", umask) == {}


@posix
def test_files_for_the_user_have_the_permissions_that_the_umask_asks_for(
    tmp_path: Path, trained: Path, handlens: Handlens, folder: Path
) -> None:
    umask, out = 0o002, tmp_path / "out"
    before = os.umask(umask)
    try:
        assert handlens("export", trained, "--to", out / "colours.onnx").code == 0
        assert handlens("predict", trained, folder / "green", "--csv", out / "answers.csv").code == 0
        save_png(Image.new("RGB", (4, 4)), out / "picture.png")
    finally:
        os.umask(before)
    assert sorted(path.name for path in out.iterdir()) == ["answers.csv", "colours.onnx", "picture.png"]
    assert wrong_modes(out, umask) == {}


@posix
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "picture.png"
    save_png(Image.new("RGB", (4, 4)), path)
    path.chmod(0o640)
    save_png(Image.new("RGB", (8, 8)), path)
    assert mode(path) == 0o640
    with Image.open(path) as picture:
        assert picture.size == (8, 8)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), making_folder(tmp_path / "new") as draft:
        (draft / "file").write_text("half")
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from ml.core.disk import making_folder, replacing
with replacing(Path(sys.argv[1]) / "a.csv") as draft, making_folder(Path(sys.argv[1]) / "b") as folder:
    draft.write_text("half")
    (folder / "c").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@posix
def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    assert len(list(tmp_path.iterdir())) == 2
    write_text(tmp_path / "card.md", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["card.md"]


def test_drafts_of_living_processes_and_files_of_the_user_stay(tmp_path: Path) -> None:
    users = tmp_path / ".mine.part"
    users.write_text("mine")
    with replacing(tmp_path / "a.csv") as draft:
        disk._remove_orphans.cache_clear()
        write_text(tmp_path / "b.csv", "b")
        assert draft.exists() and users.exists()


def test_the_file_and_its_name_are_flushed_around_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    flush, replace = disk.flush, Path.replace
    monkeypatch.setattr(disk, "flush", lambda path: (steps.append(f"flush {path.is_dir()}"), flush(path)))
    monkeypatch.setattr(Path, "replace", lambda path, to: (steps.append("rename"), replace(path, to))[1])
    write_text(tmp_path / "card.md", "new")
    assert steps == ["flush False", "rename", "flush True"]


def test_a_training_leaves_nothing_in_the_temp_folder(demo: Demo) -> None:
    assert demo.folder.is_dir() and list(demo.temp.iterdir()) == []
