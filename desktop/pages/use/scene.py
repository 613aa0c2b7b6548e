"""A large picture on the Use page: answers it tile by tile in the background, and exports the map."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget

from desktop import style
from desktop.dialogs.folder import FileSaver
from desktop.i18n import current_language, error_text, tr
from desktop.pages.use.scene_panel import LegendLine, ScenePanel
from desktop.widgets.pixels import rgb_image
from desktop.workers.tasks import Tasks
from ml.api import (
    HandlensError,
    Project,
    ReleasedModel,
    SceneMap,
    StopRequestedError,
    area_name,
    area_words,
    map_rgba,
    map_scene,
    usual_edge,
    write_scene,
)

_FINER = 4
"""Pixels of the overlay in each cell, so that it can be cut where the picture ends."""
_UNSURE = QColor(255, 255, 255)
_FILTERS = {".png": "PNG (*.png)", ".tif": "GeoTIFF (*.tif)", ".csv": "CSV (*.csv)"}


class SceneController(QObject):
    """Drives a `ScenePanel`. One picture at a time."""

    closed = Signal()
    """The person goes back to the answers."""
    progressed = Signal(str, float)
    _moved = Signal(object, float)
    """From the thread that answers: the picture, and the share that is done."""

    def __init__(self, panel: ScenePanel, parent: QWidget) -> None:
        super().__init__(parent)
        self._panel, self._page = panel, parent
        self._model: ReleasedModel | None = None
        self._project: Project | None = None
        self._path: Path | None = None
        self._number = 0
        self.scene: SceneMap | None = None
        self._tasks, self._saving = Tasks(self, threads=1), Tasks(self, threads=1)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)
        self._saving.done.connect(self._on_saved)
        self._saving.failed.connect(self._on_save_failed)
        self._moved.connect(self._on_moved)
        panel.back_pressed.connect(self._leave)
        panel.stop_pressed.connect(self._stop)
        panel.again_pressed.connect(self._answer)
        panel.export_pressed.connect(self._export)

    def open(self, model: ReleasedModel, path: Path, project: Project | None) -> None:
        """Show a picture and answer it. Tiles are as large as the samples of `project`, if there is one."""
        self.clear()
        self._model, self._path, self._project = model, path, project
        self._panel.file_name.setText(str(path))
        self._panel.set_tile(model.info.size)
        self._answer(None)
        self._panel.stop_button.setFocus()

    def clear(self) -> None:
        """Forget the picture, and end what runs for it."""
        self._tasks.forget_all()
        self._model = self._path = self._project = self.scene = None
        panel = self._panel
        panel.view.set_message("")
        panel.set_legend(())
        panel.size_line.setText("")
        panel.set_ready(False)
        panel.show_problem("")
        panel.show_saved("")
        panel.show_progress("", -1.0)

    def path(self) -> Path | None:
        """Return the picture that is shown."""
        return self._path

    def busy(self) -> bool:
        return self._tasks.wanted(self._number)

    def close(self) -> None:
        """End all work; nothing reports back."""
        self._tasks.close()
        self._saving.close()

    # -- answering -----------------------------------------------------------------------------------------------

    @Slot(int)
    def _answer(self, tile: int | None) -> None:
        model, path = self._model, self._path
        if model is None or path is None:
            return
        self._tasks.forget_all()
        self._panel.show_problem("")
        self._panel.show_saved("")
        self._on_moved(path, 0.0)
        self._number = self._tasks.submit_stoppable(
            partial(_answered, model, path, self._project if tile is None else None, tile, self._moved.emit)
        )

    @Slot(object, float)
    def _on_moved(self, path: Path, share: float) -> None:
        if path == self._path and (share == 0.0 or self.busy()):
            words = tr("Answering tile by tile…")
            self._panel.show_progress(words, share)
            self.progressed.emit(words, share)

    @Slot()
    def _stop(self) -> None:
        self._tasks.forget_all()
        self._end(tr("Stopped."))
        if self.scene is None:
            self._panel.view.set_message(tr("There is no map yet. Press “Answer again”."))

    @Slot()
    def _leave(self) -> None:
        if self.busy():
            self._end(tr("Stopped."))
        self.clear()
        self.closed.emit()

    def _end(self, sentence: str) -> None:
        self._panel.show_progress("", -1.0)
        self.progressed.emit(sentence, -1.0)

    @Slot(int, object)
    def _on_done(self, _number: int, found: object) -> None:
        if not isinstance(found, SceneMap):
            return
        self.scene = found
        self._end(tr("The map is ready."))
        panel, number = self._panel, current_language().number
        panel.size_line.setText(
            tr(
                "{width} × {height} pixels, in tiles of {tile} pixels",
                width=number(found.width, ",.0f"),
                height=number(found.height, ",.0f"),
                tile=str(found.tile),
            )
        )
        panel.set_tile(found.tile)
        panel.view.set_picture(rgb_image(found.picture))
        panel.view.set_overlay(_overlay(found))
        panel.set_legend(
            [
                LegendLine(
                    colour=_UNSURE if area.index < 0 else style.class_colour(area.index),
                    words=f"{area_name(area)}: {area_words(area)}",
                )
                for area in found.areas
            ]
        )
        panel.set_ready(True)
        if panel.isVisible():
            panel.export_button.setFocus()

    @Slot(int, object)
    def _on_failed(self, _number: int, error: object) -> None:
        sentence = "" if isinstance(error, StopRequestedError) else _sentence(error)
        self._end(sentence)
        self._panel.show_problem(sentence)

    # -- exporting -----------------------------------------------------------------------------------------------

    @Slot(str)
    def _export(self, suffix: str) -> None:
        scene = self.scene
        if scene is None:
            return
        name = f"{scene.path.stem} " + tr("map") + suffix
        target = FileSaver.ask(self._page, tr("Export the map"), name, _FILTERS[suffix], suffix=suffix)
        if target is not None:
            self._saving.submit(partial(_saved, scene, target, _colours(scene)))

    @Slot(int, object)
    def _on_saved(self, _number: int, target: object) -> None:
        self._panel.show_saved(tr("The map is in {path}.", path=str(target)))

    @Slot(int, object)
    def _on_save_failed(self, _number: int, error: object) -> None:
        self._panel.show_saved(_sentence(error), good=False)


def _answered(
    model: ReleasedModel,
    path: Path,
    project: Project | None,
    tile: int | None,
    moved: Callable[[Path, float], None],
    *,
    stopped: Callable[[], bool],
) -> SceneMap:
    if tile is None and project is not None:
        tile = usual_edge(project)

    def progress(share: float) -> bool:
        moved(path, share)
        return not stopped()

    return map_scene(model, path, tile=tile, progress=progress)


def _saved(scene: SceneMap, target: Path, colours: tuple[tuple[int, int, int], ...]) -> Path:
    write_scene(scene, target, colours)
    return target


def _colours(scene: SceneMap) -> tuple[tuple[int, int, int], ...]:
    """Return the colours of the classes in the window."""
    colours = [style.class_colour(place) for place in range(len(scene.classes))]
    return tuple((colour.red(), colour.green(), colour.blue()) for colour in colours)


def _overlay(scene: SceneMap) -> QImage:
    """Return the map cut to the picture: its last cells may reach beyond it."""
    pixels = map_rgba(scene, _colours(scene))
    rows, columns = pixels.shape[:2]
    image = QImage(pixels.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
    if columns * scene.cell == scene.width and rows * scene.cell == scene.height:
        return image.copy()
    fine = image.scaled(columns * _FINER, rows * _FINER)
    return fine.copy(0, 0, round(scene.width / scene.cell * _FINER), round(scene.height / scene.cell * _FINER))


def _sentence(error: object) -> str:
    if isinstance(error, HandlensError):
        return error_text(error)
    return tr("A fault in Handlens ended this ({fault}). Try again.", fault=type(error).__name__)
