"""The pages of an open project, in the order of the rail. A new page is one package and one line in `PAGES`."""

from __future__ import annotations

from desktop.pages.data import DataPage
from desktop.pages.explore.page import ExplorePage
from desktop.pages.label.page import LabelPage
from desktop.pages.runs.page import RunsPage
from desktop.pages.train.page import TrainPage
from desktop.pages.use.page import UsePage
from desktop.window.page import Page, PageFactory
from ml.api import Runner


def _data(_runner: Runner | None) -> Page:
    return DataPage()


def _label(runner: Runner | None) -> Page:
    return LabelPage(runner=runner)


def _train(runner: Runner | None) -> Page:
    return TrainPage(runner=runner)


def _explore(runner: Runner | None) -> Page:
    return ExplorePage(runner=runner)


def use_page(runner: Runner | None) -> Page:
    return UsePage(runner=runner)


def _runs(runner: Runner | None) -> Page:
    return RunsPage(runner=runner)


PAGES: tuple[PageFactory, ...] = (_data, _label, _train, _explore, use_page, _runs)
