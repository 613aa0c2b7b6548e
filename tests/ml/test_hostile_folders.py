"""What keeps a careless program busy for ever is named and left out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hostile_folders import hostile_folders

from ml.core.errors import HandlensError
from ml.core.messages import english
from ml.project.labelfiles.preview import preview_labels, suggest_labels
from ml.project.scan.folder import entries_below

pytestmark = pytest.mark.timeout(60)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_the_search_ends_and_finds_the_good_files(tmp_path: Path) -> None:
    for name, folder in hostile_folders(tmp_path):
        entries = list(entries_below(folder))
        pictures = [entry.path for entry in entries if entry.obstacle is None and entry.path.endswith(".png")]
        good = [path for path in pictures if not path.endswith("self.png")]
        assert sorted(good) == [f"{kind}/{number}.png" for kind in ("cats", "dogs") for number in range(4)], name
        obstacles = {entry.path: english(entry.obstacle) for entry in entries if entry.obstacle is not None}
        match name:
            case "everything":
                assert {"cats/machine", "dogs/outside.png"} <= obstacles.keys() <= {
                    "cats/machine", "dogs/outside.png", "dogs/proc"
                }  # fmt: skip
                assert all(told.startswith("This link leads out") for told in obstacles.values())
            case "pipes":
                assert obstacles.keys() == {"cats/pipe.png", "labels.csv", "socket.png", "cats/zero.png"}
            case _:
                assert not obstacles, name


def test_label_tables_that_never_end_are_refused(tmp_path: Path) -> None:
    for name, folder in hostile_folders(tmp_path):
        table = folder / "labels.csv"
        if name == "long_table":
            assert suggest_labels(folder, "images") == table
        elif name in ("pipes", "endless_line"):
            with pytest.raises(HandlensError, match=r"pipe|too long"):
                preview_labels(folder, "images", (table,))
            assert suggest_labels(folder, "images") is None
