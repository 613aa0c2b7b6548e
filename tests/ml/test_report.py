"""What `handlens export` writes besides models: a report in one file, and a notebook that runs."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from ml import notebook
from ml.project.project import Project
from tests.fabricate import add_run, project_of
from tests.hostile_names import IMAGE, hostile_folder
from tests.ml.terminal import Handlens
from tests.tiny_model import write_colour_model

TAGS_OF_OTHERS = {"script", "iframe", "object", "embed", "link", "form", "b"}


class _Page(HTMLParser):
    """The tags, the addresses and the words of a page."""

    def __init__(self, written: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words = ""
        self.feed(written)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def mistaken(tmp_path: Path) -> Path:
    """A project of classes with hostile names, and a run that takes some test samples for others."""
    with project_of(hostile_folder(tmp_path / "<b>&pictures"), tmp_path / "fruit.handlens") as project:
        wrong = [sample.id for sample in project.samples() if sample.split == "test"][:3]
        run = add_run(project, wrong=tuple(wrong))
        names = tuple(item.name for item in project.classes())
        write_colour_model(project.runs.folder(run.number) / "model.onnx", classes=names)
    return tmp_path / "fruit.handlens"


def test_a_report_is_one_page_with_pictures_and_nothing_outside(
    mistaken: Path, tmp_path: Path, handlens: Handlens
) -> None:
    target = tmp_path / "report.html"
    assert handlens("export", mistaken, "--to", target).out == f"The report on run 1 is in {target}.\n"
    page = _Page(target.read_text(encoding="utf-8"))
    assert "The model is correct on 3 of 6 pictures it has never seen." in page.words
    assert IMAGE in page.words and not TAGS_OF_OTHERS & {*page.tags}
    assert page.tags.count("details") == 7 and page.tags.count("figure") == 6
    assert len(page.addresses) == 12
    for address in page.addresses:
        head, _, data = address.partition(",")
        assert head == "data:image/jpeg;base64"
        Image.open(io.BytesIO(base64.b64decode(data))).load()


def test_a_report_speaks_the_language_of_its_reader(
    mistaken: Path, tmp_path: Path, handlens: Handlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml.core.messages import use_language

    use_language("de")
    try:
        handlens("export", mistaken, "--to", tmp_path / "bericht.html")
    finally:
        use_language("en")
    written = (tmp_path / "bericht.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in written
    assert "Bei 3 von 6 Bildern, die das Modell nie gesehen hat, liegt es richtig." in _Page(written).words


def test_a_missing_picture_leaves_the_rest_of_the_report(mistaken: Path, tmp_path: Path, handlens: Handlens) -> None:
    with Project.open(mistaken, to_read=True) as project:
        gone = next(sample for sample in project.samples() if sample.split == "test")
        (project.source_folder / gone.path).unlink()
    assert handlens("export", mistaken, "--to", tmp_path / "report.html").code == 0
    page = _Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("figure") == 6 and page.tags.count("img") == 10
    assert "The file could not be read." in page.words


@pytest.mark.parametrize("name", ["mine.html", "mine.ipynb"])
def test_only_documents_of_handlens_are_replaced(mistaken: Path, tmp_path: Path, handlens: Handlens, name: str) -> None:
    target = tmp_path / name
    target.write_text("mine")
    done = handlens("export", mistaken, "--to", target)
    assert (done.code, done.err) == (
        1,
        f"{target} already exists and was not written by Handlens. Give another name.\n",
    )
    assert target.read_text() == "mine"
    target.unlink()
    assert [handlens("export", mistaken, "--to", target).code for _twice in range(2)] == [0, 0]


def test_a_run_shows_itself_in_a_notebook(mistaken: Path) -> None:
    project = notebook.open(mistaken.with_suffix(""))
    run = project.run()
    assert repr(run.score()).startswith("The model is correct on 3 of 6 pictures it has never seen.")
    png = run.most_wrong()._repr_png_()
    assert png is not None
    assert Image.open(io.BytesIO(png)).width > 800
    confusion = run.confusion()
    assert confusion.counts.sum() == 6 and confusion.counts.trace() == 3
    assert "&lt;img src=secret&gt;" in confusion._repr_html_() and "<img" not in confusion._repr_html_()


def test_a_mistake_in_a_notebook_is_a_sentence(mistaken: Path) -> None:
    project = notebook.open(mistaken)
    with pytest.raises(notebook.NotebookError) as caught:
        project.run(7)
    assert caught.value._render_traceback_() == [str(caught.value)]
    with pytest.raises(notebook.NotebookError, match="Choose one of: quick, standard, thorough"):
        project.train("long")


@pytest.mark.slow
def test_the_notebook_runs_in_a_jupyter_kernel(
    project: Path, tmp_path: Path, handlens: Handlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    kernels = tmp_path / "kernels" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernels / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "Python", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "kernels"))
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
    target = tmp_path / "colours.ipynb"
    assert handlens("export", project, "--to", target).code == 0
    book = nbformat.read(target, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert sum(len(cell.source.splitlines()) for cell in code) == 6
    assert all(cell.source.startswith("#") for cell in book.cells if cell.cell_type == "markdown")
    client.NotebookClient(book, timeout=900, kernel_name="python3").execute()
    shown = [{*output.get("data", {})} for cell in code for output in cell.outputs if output.output_type != "stream"]
    assert shown == [{"text/plain", "text/html"}, {"text/plain"}, {"text/plain", "text/html"}]
    assert "The model is correct on" in code[2].outputs[-1]["data"]["text/plain"]
