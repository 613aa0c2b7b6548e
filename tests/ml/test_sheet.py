"""The contact sheet of a run in which more than one class may be present."""

from __future__ import annotations

from pathlib import Path

import pytest
from fabricate_several import add_run_of_several, mixed_project

from ml.commands import contact_sheet as sheet
from ml.inference.answers import NONE_OF_THEM
from ml.pictures.contact_sheet import SheetTile
from ml.project.project import Project


def test_every_class_that_is_said_is_drawn_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mixed_project(tmp_path / "fruit.handlens") as project:
        tested = [sample for sample in project.samples() if sample.split == "test"]
        two = next(sample for sample in tested if len(sample.labels) == 2)
        none = next(sample for sample in tested if not sample.labels)
        run = add_run_of_several(project, wrong={two.id: two.labels[:1], none.id: (2,)})
        seen: list[SheetTile] = []
        draw = sheet.contact_sheet
        monkeypatch.setattr(sheet, "contact_sheet", lambda tiles, **words: seen.extend(tiles) or draw(tiles, **words))
        target = sheet.write_sheet(project, run.number, title="Mixed", target=tmp_path / "sheet.png")
        check(project, seen)
        assert target.stat().st_size > 0


def check(project: Project, tiles: list[SheetTile]) -> None:
    names = [item.name for item in project.classes()]
    assert [tile.right for tile in tiles[:3]] == [False, False, True], "the mistakes come first"
    assert all(
        tile.predicted == (", ".join(names[index] for index in tile.shown) or str(NONE_OF_THEM)) for tile in tiles
    )
    assert {tile.label for tile in tiles} >= {str(NONE_OF_THEM), "apple"}
    assert any(len(tile.shown) == 2 for tile in tiles)
    assert all(tile.probability is None for tile in tiles)
