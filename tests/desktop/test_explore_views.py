"""Views of Explore: unlike samples, near-duplicates and their leaks, and numbers that show what they count."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.pages.explore.page import ExplorePage
from desktop.pages.explore.wider_words import own_wider_words
from desktop.session import Session
from ml.api import Remark
from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.features.decode import DECODER_VERSION, cache_key
from ml.features.row_cache import RowCache
from ml.graphs.imagenet import imagenet_classes, imagenet_classifier, wider_words
from tests.desktop.conftest import Opener


@pytest.fixture
def session(open_project: Opener) -> Session:
    """A project whose first training and first test picture are nearly the same; one picture is unlike the rest."""
    session = open_project(mistakes=3)
    folder = session.project.runs.folder(1) / "predictions"
    splits = np.load(folder / "splits.npy")
    embeddings = np.random.default_rng(4).normal(0, 1, (30, 32)).astype(np.float16)
    embeddings[np.flatnonzero(splits == 2)[0]] = embeddings[np.flatnonzero(splits == 0)[0]]
    embeddings[np.flatnonzero(splits == 0)[4]] = embeddings[np.flatnonzero(splits == 0)[5]]
    np.save(folder / "embeddings.npy", embeddings)
    unlike = np.linspace(0.1, 0.6, 30).astype(np.float32)
    unlike[3] = 0.99
    np.save(folder / "unlike.npy", unlike)
    return session


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[ExplorePage]:
    page = ExplorePage()
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    yield page
    page.shutdown()


def test_the_most_unlike_comes_first(page: ExplorePage) -> None:
    page.view.choose("unlike")
    page.filters.split_box.setCurrentIndex(0)
    page.filters.filter_changed.emit()
    table = page.model.table
    assert table is not None and table.row(int(page.grid.ids()[0])) == 3 and len(page.grid.ids()) == 30


def test_near_duplicates_are_shown_by_group_and_leaks_first(page: ExplorePage, qtbot: QtBot) -> None:
    page.view.choose("duplicates")
    qtbot.waitUntil(lambda: len(page.grid.ids()) == 4)
    assert "2 groups of near-duplicates, 4 pictures in them" in page.duplicates_bar.sentence.text()
    assert "1 lies across the split" in page.duplicates_bar.sentence.text()
    captions = [page.duplicates.tile(int(each)).caption for each in page.grid.ids()]
    assert {caption.split(" · ")[1] for caption in captions[:2]} == {"Training", "Test"}
    page.duplicates_bar.leaks_box.click()
    assert len(page.grid.ids()) == 2


def test_the_count_of_wrong_ones_shows_them(page: ExplorePage, qtbot: QtBot) -> None:
    assert page.filters.sentence.text() == "3 of 6 wrong"
    qtbot.mouseClick(page.filters.sentence, Qt.MouseButton.LeftButton)
    assert len(page.grid.ids()) == 3 and page.filters.verdict_box.currentText() == "Only wrong"
    qtbot.mouseClick(page.filters.sentence, Qt.MouseButton.LeftButton)
    assert len(page.grid.ids()) == 6


def test_the_numbers_of_sure_enough_show_their_samples(page: ExplorePage, qtbot: QtBot) -> None:
    page.view.choose("enough")
    wrong = page.thresholds.lists["wrong"]
    count = int(wrong.text().split()[0])
    assert count
    qtbot.mouseClick(wrong, Qt.MouseButton.LeftButton)
    assert page.view.current() == "wrong" and len(page.grid.ids()) == count
    assert "accepted and wrong" in page.filters.cell_button.text()


def test_samples_are_found_by_names_and_colours(page: ExplorePage, session: Session, qtbot: QtBot) -> None:
    cache = RowCache(session.project.path / "cache" / f"pixels-{DECODER_VERSION}-64", {"data": ((64, 64, 3), np.uint8)})
    colours = {0: (210, 20, 25), 1: (40, 140, 50), 2: (110, 40, 170)}
    keys = [cache_key(sample) for sample in session.samples]
    cache.append(keys, data=np.stack([np.full((64, 64, 3), colours[s.labels[0]], np.uint8) for s in session.samples]))
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(page.filters.search, "purple plums")
    qtbot.keyClick(page.filters.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "purple plums" in page.filters.cell_button.text())
    assert {session.sample(int(each)).label for each in page.grid.ids()} == {2} and len(page.grid.ids()) == 10
    page.filters.search.setText("pear/pear 3")
    qtbot.keyClick(page.filters.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "pear 3" in page.filters.cell_button.text())
    found = [session.sample(int(each)).path for each in page.grid.ids()]
    assert "pear/pear 3.png" in found
    page.filters.search.setText("zebra")
    qtbot.keyClick(page.filters.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "Nothing was found for “zebra”" in page.view.problem.text())


def test_a_map_says_what_speaks_for_the_prediction_against_the_label(page: ExplorePage) -> None:
    table = page.model.table
    assert table is not None
    wrong = int(page.grid.ids()[0])
    page.model.set_map_of("predicted")
    plain = page.model.overlay(wrong)
    page.model.set_map_of("predicted_against")
    sample = page.model.session.sample(wrong)  # type: ignore[union-attr]
    assert page.model.map_against(sample, page.model.map_class(sample) or 0) == sample.label
    against = page.model.overlay(wrong)
    assert plain is not None and against is not None and plain != against


def test_search_finds_what_the_pretrained_network_sees_and_notes(page: ExplorePage, qtbot: QtBot) -> None:
    session = page.model.session
    assert session is not None
    weight, _bias = imagenet_classifier()
    dogs = [sample for sample in session.samples if sample.path.startswith("pear")][:3]
    rows = np.zeros((len(session.samples), weight.shape[1]), dtype=np.float32)
    for strength, dog in enumerate(dogs, 1):
        place = next(row for row, sample in enumerate(session.samples) if sample.id == dog.id)
        beagle = weight[imagenet_classes().index("beagle")]
        rows[place] = (2 + strength) * beagle / np.linalg.norm(beagle)
    cache = RowCache(
        session.project.path / "cache" / f"embeddings-{DEFAULT_BACKBONE}-x",
        {"embedding": ((weight.shape[1],), np.float32)},
    )
    cache.append([cache_key(sample) for sample in session.samples], embedding=rows)
    page.filters.search.setText("dogs")
    qtbot.keyClick(page.filters.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "dogs" in page.filters.cell_button.text())
    assert page.grid.ids().tolist() == [dog.id for dog in reversed(dogs)], "the surest first"
    page.filters.search.setText("dog 2")  # and a file name
    qtbot.keyClick(page.filters.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "dog 2" in page.filters.cell_button.text())
    assert [session.sample(int(each)).path for each in page.grid.ids()] == ["pear/pear 2.png"]
    session.set_remarks({session.samples[0].id: Remark(note="Taken in fog")})
    page.filters.search.setText("fog")
    qtbot.keyClick(page.filters.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "fog" in page.filters.cell_button.text())
    assert page.grid.ids().tolist() == [session.samples[0].id]


def test_wider_words_are_known_in_the_language_of_the_window() -> None:
    assert set(own_wider_words().values()) == set(wider_words())
