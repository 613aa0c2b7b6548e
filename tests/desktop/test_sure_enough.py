"""How sure is sure enough: what a wanted share of wrong answers costs, in sentences, and that the choice is kept."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fabricate import add_run, image_folder, project_of
from fabricate_several import add_run_of_several, mixed_project
from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QScrollArea
from pytestqt.qtbot import QtBot

from desktop import style
from desktop.i18n import text
from desktop.models.prediction_table import PredictionTable
from desktop.pages.explore.page import ExplorePage
from desktop.pages.explore.thresholds import messages as enough_words
from desktop.pages.explore.thresholds.model import RATES, ThresholdModel, ThresholdReport, nearest_rate
from desktop.pages.explore.thresholds.page import ThresholdPage
from desktop.pages.explore.view import VIEWS
from desktop.session import Session, open_session
from desktop.widgets.trade_off_plot import TradeOffPlot
from ml.api import HandlensError, Project, SelectiveRisk, Thresholds, msg
from tests.desktop.conftest import Opener

TAB = VIEWS.index("enough")


@pytest.fixture
def session(open_project: Opener) -> Session:
    # The fabricated run is the surer the later a sample comes: of the first, it is least sure.
    return open_project(each=40, mistakes=6, within=("valid", "test"))


def opened(qtbot: QtBot, session: Session) -> ExplorePage:
    page = ExplorePage()
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.grid.setFocus()
    tabs = page.view.tabs
    qtbot.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tabRect(TAB).center())
    return page


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[ExplorePage]:
    page = opened(qtbot, session)
    yield page
    page.shutdown()


def figures(*, promised: bool, wanted: float, accepted: int, wrong: int, n: int = 200) -> ThresholdReport:
    price = SelectiveRisk(n=n, accepted=accepted, wrong=wrong)
    chosen = Thresholds(
        wanted=wanted,
        overall=0.7,
        per_class=(0.7, 0.9),
        promised=promised,
        price=price,
        needed=round(3 / wanted),
        files=n,
    )
    return ThresholdReport(chosen=chosen, price=price, tested=True, unlabelled=False, classes=())


def test_a_promise_is_said_of_a_hundred_pieces() -> None:
    told = figures(promised=True, wanted=0.01, accepted=186, wrong=1)
    said = "Of 1,000 pictures, Handlens leaves 70 to you. Of the 930 accepted answers, at most 9 will be wrong."
    assert enough_words.expected("images", told) == said
    assert enough_words.promise("images", told).startswith("Guaranteed with 95 % confidence")
    said = "Of the 200 pictures in the test set, Handlens accepts 186 (1 wrong) and leaves 14 to you."
    assert enough_words.headline("images", told) == said


@pytest.mark.parametrize("promised", [True, False])
@pytest.mark.parametrize("accepted", [1, 5, 11, 12])
@pytest.mark.parametrize("wanted", RATES)
def test_no_more_are_said_to_be_wrong_than_were_allowed(wanted: float, accepted: int, promised: bool) -> None:
    told = figures(promised=promised, wanted=wanted, accepted=accepted, wrong=0, n=12)
    said = enough_words.expected("images", told).replace(",", "")
    decided, most = (int(number) for number in re.findall(r"the (\d+) accepted .* (\d+) (?:will be )?wrong", said)[0])
    assert 1 <= most <= wanted * decided + 1e-9


def test_five_of_a_hundred_are_two_of_the_forty_two_accepted() -> None:
    told = figures(promised=False, wanted=0.05, accepted=5, wrong=0, n=12)
    said = enough_words.expected("images", told)
    assert said.endswith("The goal for the 42 accepted answers is at most 2 wrong.")


def test_what_cannot_be_promised_is_called_an_aim() -> None:
    told = figures(promised=False, wanted=0.002, accepted=100, wrong=0)
    said = "Of 1,000 sounds, Handlens leaves 500 to you. The goal for the 500 accepted answers is at most 1 wrong."
    assert enough_words.expected("recordings", told) == said
    assert "Add more sounds, or allow more wrong answers." in enough_words.promise("recordings", told), (
        "all are labelled already"
    )
    assert "Label more sounds" in enough_words.promise("recordings", dataclasses.replace(told, unlabelled=True))
    assert "Not guaranteed: that needs 1,500 sounds for validation" in enough_words.promise("recordings", told)
    nothing = figures(promised=False, wanted=0.05, accepted=0, wrong=0)
    assert enough_words.expected("images", nothing).endswith("all pictures are left to you.")


def test_it_begins_with_what_is_in_use(page: ExplorePage) -> None:
    enough = page.thresholds
    assert enough.isVisible() and not page.filters.isVisible()
    assert RATES[enough.slider.value()] == 0.05
    assert enough.asked.text() == "At most 5 of 100 accepted answers may be wrong"
    assert enough.used.text().startswith("In use: at most 5 of 100.")
    assert not enough.use_button.isEnabled()
    assert enough.headline.text().startswith("Of the 24 pictures in the test set, Handlens accepts ")
    assert enough.expected.text().startswith("Of 100 pictures, Handlens leaves ")
    assert "terminal" not in enough.used.text()
    assert not enough.stuck.isVisible()
    here = enough.plot.here()
    assert here is not None and 0 <= here[0] <= 100


def test_the_dot_lies_on_its_curve_or_it_is_said_why_not(qtbot: QtBot, page: ExplorePage) -> None:
    enough = page.thresholds
    enough.slider.setFocus()
    weighing = enough.model
    assert isinstance(weighing, ThresholdModel)
    for place, rate in enumerate(RATES):
        enough.slider.setValue(place)
        here = enough.plot.here()
        assert here is not None
        on_it = here[0] == 100 or any(point == pytest.approx(here) for point in enough.plot.curve())
        apart = len(set(weighing.figures(rate).chosen.per_class)) > 1
        assert on_it or apart
        assert (text(enough_words.DOT_OFF_CURVE) in enough.unlike.text()) is apart


def test_where_few_are_tested_the_curve_goes_on_to_the_last_of_them(studio: QApplication) -> None:
    plot = TradeOffPlot()
    shares = np.linspace(11 / 12, 0, 12)
    plot.set_curve(shares, np.zeros(12), np.ones(12))
    assert max(x for x, _wrong in plot.curve()) == pytest.approx(100 * 11 / 12)


@pytest.mark.parametrize("width", [412, 760])
def test_in_a_small_window_it_scrolls_as_a_whole(
    studio: QApplication, qtbot: QtBot, session: Session, width: int
) -> None:
    page = ThresholdPage()
    qtbot.addWidget(page)
    predictions = session.predictions()
    assert predictions is not None
    names = ("fan_0_high_0_weight", "fan_0_high_1_weight", "fan_0_low_0_weight")
    page.set_model(ThresholdModel(PredictionTable(predictions, session.samples), names), kind="images", used=0.05)
    page.resize(width, 470)
    page.show()
    qtbot.waitUntil(lambda: page.plot.height() >= 240 and page.classes.height() >= 3 * 17)
    parts = (page.plot, page.unlike, page.title, page.classes)
    boxes = [QRect(part.mapTo(page, part.rect().topLeft()), part.size()) for part in parts]
    assert not any(one.intersects(other) for at, one in enumerate(boxes) for other in boxes[at + 1 :])
    assert all(box.right() <= width for box in boxes)
    assert page.plot.height() >= 240 and page.unlike.height() >= page.unlike.heightForWidth(page.unlike.width())
    assert page.findChildren(QScrollArea) == [page.scroll_area]
    bar = page.scroll_area.verticalScrollBar()
    before = page.slider.value()
    for part in (page.slider, page.plot.canvas()):
        at = QPointF(part.rect().center())
        down = QWheelEvent(
            at,
            QPointF(part.mapToGlobal(at.toPoint())),
            QPoint(),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(part, down)
        assert page.slider.value() == before, "whoever scrolls changes nothing by accident"
    bar.setValue(bar.maximum())
    assert page.classes.visibleRegion().boundingRect().bottom() == page.classes.rect().bottom()


def test_in_a_window_that_becomes_smaller_the_whole_curve_is_still_seen(
    studio: QApplication, qtbot: QtBot, page: ExplorePage
) -> None:
    page.view.tabs.setCurrentIndex(VIEWS.index("enough"))
    enough = page.thresholds
    for size in ((1768, 1080), (1214, 768)):  # what a window of 1920 × 1080 and one of 1366 × 768 leave the page
        page.resize(*size)
        page.show()
        style.apply(studio, "dark" if size[1] > 768 else "light")
        qtbot.waitUntil(lambda: enough.plot.isVisible() and enough.plot.height() >= 240)
        QApplication.processEvents()
    assert enough.scroll_area.verticalScrollBar().maximum() == 0


def test_the_slider_shows_the_price_and_the_button_keeps_the_choice(
    qtbot: QtBot, page: ExplorePage, session: Session
) -> None:
    enough = page.thresholds
    before, strict = enough.headline.text(), enough.plot.here()
    enough.slider.setFocus()
    for _ in range(4):
        qtbot.keyClick(enough.slider, Qt.Key.Key_Right)
    assert enough.asked.text() == "At most 20 of 100 accepted answers may be wrong"
    assert enough.headline.text() != before
    loose = enough.plot.here()
    assert strict is not None and loose is not None and loose[0] < strict[0], "allowing more hands over less"
    assert session.project.wrong_at_most is None, "looking changes nothing"
    qtbot.mouseClick(enough.use_button, Qt.MouseButton.LeftButton)
    assert enough.used.text().startswith("In use: at most 20 of 100.")
    with Project.open(session.project.path) as again:
        assert again.wrong_at_most == 0.2
    assert session.rate_in_use() == 0.2


def test_a_slider_that_changes_nothing_says_so(qtbot: QtBot, tmp_path: Path) -> None:
    project = project_of(image_folder(tmp_path / "fruit", each=10), tmp_path / "fruit.handlens")
    add_run(project)  # right on all of the few there are
    project.close()
    session = open_session(tmp_path / "fruit.handlens")
    page = opened(qtbot, session)
    assert page.thresholds.stuck.isVisible()
    assert page.thresholds.stuck.text().startswith("The slider has no effect. With 6 pictures for validation")
    page.shutdown()
    session.close()


def test_every_class_says_from_where_on_it_is_decided(page: ExplorePage) -> None:
    rows = page.thresholds.model
    assert rows is not None
    told = rows.figures(0.05)
    assert [item.name for item in told.classes] == ["apple", "pear", "plum"]
    assert sum(item.rejected for item in told.classes) == told.price.n - told.price.accepted
    begin, rest = enough_words.class_line(told.classes[0])
    assert "%" in begin or "always" in begin
    assert rest.endswith("left to you")


def test_labels_that_are_corrected_count_at_once(page: ExplorePage, session: Session) -> None:
    enough = page.thresholds
    assert enough.model is not None
    before = enough.model.figures(0.2).chosen.price.wrong
    table = page.model.table
    assert table is not None and before > 0
    wrong = {int(table.ids[row]): (int(table.predicted[row]),) for row in table.wrong().nonzero()[0]}
    session.restore_labels(list(wrong.items()))
    QApplication.processEvents()  # the figures follow in the next round of the event loop
    assert enough.model.figures(0.2).chosen.price.wrong == 0


def test_what_cannot_be_kept_is_said(
    qtbot: QtBot, page: ExplorePage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_share: float | None) -> None:
        raise HandlensError(msg("The disk is full. Free some space and try again."))

    monkeypatch.setattr(session.project, "set_wrong_at_most", full)
    enough = page.thresholds
    qtbot.keyClick(enough.slider, Qt.Key.Key_Right)
    qtbot.mouseClick(enough.use_button, Qt.MouseButton.LeftButton)
    assert page.view.problem.text().startswith("The disk is full")
    assert enough.used.text().startswith("In use now: at most 5 of 100.")


def test_where_several_classes_may_be_present_each_is_named_or_not(qtbot: QtBot, tmp_path: Path) -> None:
    project = mixed_project(tmp_path / "mixed.handlens", each=40)
    # Of the plums that are named, some show none.
    odd = [sample for sample in project.samples() if sample.split in ("valid", "test") and 2 not in sample.labels][:4]
    add_run_of_several(project, wrong={sample.id: (*sample.labels, 2) for sample in odd})
    project.close()
    session = open_session(tmp_path / "mixed.handlens")
    page = opened(qtbot, session)
    enough = page.thresholds
    assert not enough.plot.isVisible() and enough.slider.isVisible()
    assert re.search(r"finds \d+ of the \d+ labels and predicts \d+ wrong ones?\.", enough.headline.text())
    assert "the threshold that was chosen in training" in enough.promise.text()
    assert not enough.use_button.isEnabled() and not enough.back_button.isEnabled()
    own = enough.headline.text()

    enough.slider.setFocus()
    for _ in range(3):
        qtbot.keyClick(enough.slider, Qt.Key.Key_Left)
    assert enough.asked.text() == "At most 1 of 100 predictions of a class may be wrong"
    assert enough.promise.text().startswith("Not guaranteed: ")
    assert enough.headline.text() != own, "surer of plums, it names fewer wrongly"
    assert session.project.wrong_at_most is None, "looking changes nothing"
    assert enough.back_button.isEnabled(), "to see its own marks again"
    qtbot.mouseClick(enough.use_button, Qt.MouseButton.LeftButton)
    assert enough.used.text().startswith("In use: at most 1 of 100.")
    assert session.project.wrong_at_most == 0.01

    qtbot.mouseClick(enough.back_button, Qt.MouseButton.LeftButton)
    assert enough.headline.text() == own
    with Project.open(session.project.path) as again:
        assert again.wrong_at_most is None
    page.shutdown()
    session.close()


def test_a_rate_from_elsewhere_stays_until_the_slider_is_moved(qtbot: QtBot, session: Session) -> None:
    session.project.set_wrong_at_most(0.04)
    page = opened(qtbot, session)
    enough = page.thresholds
    assert enough.rate() == 0.04
    assert enough.slider.value() == nearest_rate(0.04)
    assert enough.used.text().startswith("In use: at most 4 of 100.")
    page.shutdown()
