"""A span that a person draws labels the windows that an imported label of the same times labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.core.types import LabelSpan
from ml.project.project import Project
from ml.project.spans import edit_spans, spans_in
from tests.ml.test_labels_from_tables import labels_in, new, recording

DRAWN = [LabelSpan("owl", 0.5, 2.0), LabelSpan("fox", 6.0, 9.5), LabelSpan("owl", 2.25, 2.75)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        recording(tmp_path / "sounds" / f"{number}.wav", 12.0, seed=number)
    return tmp_path / "sounds"


def draw(project: Project, path: str, *spans: LabelSpan, instead_of: tuple[LabelSpan, ...] = ()) -> None:
    """Replace some of the spans of a recording."""
    names = [item.name for item in project.classes()]
    names += [project.add_class(span.class_name).name for span in spans if span.class_name not in names][:1]
    windows = [sample for sample in project.samples() if sample.path == path]
    before = spans_in(project.label_spans(path))
    after = tuple(span for span in before if span not in instead_of) + spans
    edit = edit_spans(windows, before, after, names, exclusive=project.task == "single")
    project.restore_labels(
        [(each, window.labels) for each, window in edit.windows.items()],
        parts={each: window.parts for each, window in edit.windows.items()},
    )


@pytest.mark.parametrize("several", [False, True])
def test_drawn_spans_label_what_imported_ones_label(folder: Path, tmp_path: Path, several: bool) -> None:
    more = ("--multi-label",) if several else ()
    (tmp_path / "t.csv").write_text(
        "file,label,start,end\n1.wav,owl,1,4.5\n2.wav,fox,1,4.5\n3.wav,fox,3,6.5\n3.wav,owl,8,11.5\n"
    )
    rows = "".join(f"0.wav,{name},{start},{end}\n" for name, start, end in DRAWN)
    (tmp_path / "all.csv").write_text((tmp_path / "t.csv").read_text() + rows)
    new(tmp_path / "drawn.handlens", folder, "--labels", tmp_path / "t.csv", *more)
    new(tmp_path / "imported.handlens", folder, "--labels", tmp_path / "all.csv", *more)
    with Project.open(tmp_path / "drawn.handlens") as project:
        for span in DRAWN:
            draw(project, "0.wav", span)
        assert spans_in(project.label_spans("0.wav")) == tuple(sorted(DRAWN, key=lambda span: span.start)), "all stay"
    drawn, imported = (labels_in(tmp_path / f"{name}.handlens")["0.wav"] for name in ("drawn", "imported"))
    # A label file says that nothing is in the rest of the recording; a person who draws has not listened there.
    assert [labels or None for _start, labels in drawn] == [labels or None for _start, labels in imported]


def test_spans_are_moved_and_removed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,label\n0.wav,owl\n1.wav,owl\n2.wav,fox\n3.wav,fox\n")
    new(tmp_path / "p", folder, "--labels", tmp_path / "t.csv")
    call, moved = LabelSpan("fox", 5.5, 6.5), LabelSpan("fox", 10.0, 11.0)
    with Project.open(tmp_path / "p") as project:
        draw(project, "0.wav", call)
        assert labels_in(tmp_path / "p")["0.wav"] == [
            (0.0, ("owl",)),
            (2.5, ("fox",)),
            (5.0, ("fox",)),
            (7.0, ("owl",)),
        ], "the span takes the place of the label of the whole window"
        draw(project, "0.wav", moved, instead_of=(call,))
        assert [labels for _start, labels in labels_in(tmp_path / "p")["0.wav"]] == [("owl",), None, None, ("fox",)]
        confirmed = [sample.id for sample in project.samples() if sample.path == "0.wav" and sample.labels == (1,)]
        project.restore_labels([(each, (1,)) for each in confirmed], origins=dict.fromkeys(confirmed, "confirmed"))
        assert spans_in(project.label_spans("0.wav"))[0].start in (10.0,)
