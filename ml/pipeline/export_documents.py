"""What is written about a run besides its model: a report and a notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ml.core.disk import replacing
from ml.core.errors import HandlensError
from ml.core.messages import Message, msg, text
from ml.core.outputs import make_folder, unwritable
from ml.core.printable import markdown
from ml.evaluation.run_view import RunView
from ml.project.project import Project
from ml.runtime.model import ReleasedModel

REPORT, NOTEBOOK = ".html", ".ipynb"
DOCUMENTS = (REPORT, NOTEBOOK)
_OURS = {REPORT: b'name="generator" content="Handlens"', NOTEBOOK: b'"handlens"'}
"""What stands in every such file that Handlens wrote."""
_LOOKED_AT = 4_096


def write_document(project: Project, target: Path, run: int | None, *, printed: bool = False) -> int | None:
    """Write the report on a run, or the notebook; return the number of the run, None for a notebook.

    `printed`: the report is for paper, see `ml.release.report`. Raises HandlensError.
    """
    kind = target.suffix.lower()
    _refuse_another_file(target, _OURS[kind])
    if kind == NOTEBOOK:
        number, written = None, _notebook(project)
    else:
        view = RunView(project, run)
        number, written = view.run.number, _report(project, view, printed=printed)
    try:
        make_folder(target.parent)
        with replacing(target) as draft:
            draft.write_text(written, encoding="utf-8", newline="")
    except OSError as error:
        raise unwritable(target, error) from error
    return number


def _report(project: Project, view: RunView, *, printed: bool) -> str:
    from ml.release.report import report_html

    model = project.runs.results(view.run.number) / "model.onnx"
    return report_html(view, ReleasedModel.open(model).info, printed=printed)


def _notebook(project: Project) -> str:
    """Return a notebook of six lines over the project, as JSON of nbformat 4.5."""
    parts: list[tuple[Message, tuple[str, ...]]] = [
        (
            msg("Open the project"),
            ("from ml import notebook as handlens", f"project = handlens.open({str(project.path)!r})"),
        ),
        (msg("Train"), ('run = project.train("quick")',)),
        (msg("How good it is"), ("run.score()",)),
        (msg("Its worst mistakes"), ("run.most_wrong()",)),
        (msg("Which classes it confuses"), ("run.confusion()",)),
    ]
    cells: list[dict[str, Any]] = [_cell("title", "markdown", f"# {markdown(project.name)}")]
    for number, (heading, lines) in enumerate(parts):
        cells.append(_cell(f"heading-{number}", "markdown", f"## {text(heading)}"))
        cells.append(_cell(f"code-{number}", "code", "\n".join(lines)))
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    # First, so that an older notebook of ours is known by its beginning.
    whole = {"metadata": {"handlens": {}, **metadata}, "nbformat": 4, "nbformat_minor": 5, "cells": cells}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _cell(name: str, kind: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": source.splitlines(keepends=True)}
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell


def _refuse_another_file(target: Path, mark: bytes) -> None:
    """An older report or notebook of ours may be replaced, nothing else."""
    if target.is_dir():
        raise HandlensError(msg("{path} is a folder. Give the name of a file in it.", path=str(target)))
    try:
        with target.open("rb") as file:
            first = file.read(_LOOKED_AT)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(target, error) from error
    if first and mark not in first:
        raise HandlensError(
            msg("{path} already exists and was not written by Handlens. Give another name.", path=str(target))
        )
