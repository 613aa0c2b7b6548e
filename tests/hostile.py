"""Projects and models as a stranger could craft them, or a failing disk could leave them: one fault each."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ml.runtime.contract import METADATA_KEY

DEEP = "[" * 200_000
HUGE = 17 << 20
"""Characters: longer than any value may be."""
_Fault = Callable[[Path], object]


def hostile_projects(base: Path) -> Iterator[tuple[str, Path]]:
    """Yield copies of the project at `base`, beside it, each with one fault in what every opening reads.

    `base` needs a finished run 1 with predictions. Each copy is removed when the next is asked for.
    """
    yield from copies(base, PROJECT_FAULTS)


def hostile_runs(base: Path) -> Iterator[tuple[str, Path]]:
    """Yield copies of the project at `base`, each with one fault in the files of run 1."""
    yield from copies(base, RUN_FAULTS)


def hostile_models(model: Path) -> Iterator[tuple[str, Path]]:
    """Yield copies of a model, beside it, each with one fault. Each copy is removed when the next is asked for."""
    for name, (description, graph) in MODEL_FAULTS.items():
        crafted = model.with_name(f"hostile {name}.onnx")
        loaded = onnx.load(model)
        if description is not None:
            entry = next(each for each in loaded.metadata_props if each.key == METADATA_KEY)
            values = json.loads(entry.value)
            changed = description(values)
            entry.value = changed if isinstance(changed, str) else json.dumps(values)
        if graph is not None:
            graph(loaded)
        crafted.write_bytes(loaded.SerializeToString())
        yield name, crafted
        crafted.unlink()


def copies(base: Path, faults: dict[str, _Fault]) -> Iterator[tuple[str, Path]]:
    """Yield copies of the project at `base`, beside it, each with one of `faults`; each is removed afterwards."""
    for name, fault in faults.items():
        crafted = base.with_name(f"hostile {name}{base.suffix}")
        shutil.copytree(base, crafted, symlinks=True)
        fault(crafted)
        yield name, crafted
        shutil.rmtree(crafted)


# -- faults of projects ------------------------------------------------------------------------------------------------


def _sql(*statements: str, values: tuple[object, ...] = ()) -> _Fault:
    def fault(project: Path) -> None:
        with closing(sqlite3.connect(project / "project.db")) as database, database:
            for statement in statements:
                database.execute(statement, values)

    return fault


def _noise(first: int, last: int) -> _Fault:
    """Overwrite these shares (in per cent) of the database's pages."""

    def fault(project: Path) -> None:
        path = project / "project.db"
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = path.stat().st_size
        begin, end = size * first // 100 // 4096 * 4096, size * last // 100 // 4096 * 4096
        with path.open("r+b") as file:
            file.seek(begin)
            file.write(np.random.default_rng(0).bytes(end - begin))

    return fault


def _link(name: str) -> _Fault:
    def fault(project: Path) -> None:
        outside = project.with_name("outside")
        outside.mkdir(exist_ok=True)
        shutil.rmtree(project / name, ignore_errors=True)
        (project / name).symlink_to(outside, target_is_directory=True)

    return fault


def _link_file(name: str) -> _Fault:
    def fault(project: Path) -> None:
        outside = project.with_name("outside.txt")
        outside.write_text("precious", encoding="utf-8")
        (project / name).unlink(missing_ok=True)
        (project / name).symlink_to(outside)

    return fault


def _meta(key: str, value: object) -> _Fault:
    return _sql("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", values=(key, value))


def _loose(table: str, statement: str) -> _Fault:
    """Rebuild a table without any rule, as a crafted file would have it, and change it."""
    return _sql(
        "PRAGMA foreign_keys = OFF",
        f'ALTER TABLE "{table}" RENAME TO old',
        f'CREATE TABLE "{table}" AS SELECT * FROM old',
        "DROP TABLE old",
        statement,
    )


PROJECT_FAULTS: dict[str, _Fault] = {
    "noise over all pages": _noise(0, 100),
    "noise behind the first page": _noise(5, 100),
    "half a database": lambda project: os.truncate(project / "project.db", 8192),
    "empty database": lambda project: os.truncate(project / "project.db", 0),
    "no meta": _sql("DELETE FROM meta"),
    "meta without a name": _sql("DELETE FROM meta WHERE key = 'name'"),
    "null meta": _meta("split_by", None),
    "blob for a folder": _meta("source_absolute", b"\xff\xfe"),
    "folder with a NUL": _meta("source_absolute", "/a\0b"),
    "text for a rate": _meta("wrong_at_most", "many"),
    "NaN for a rate": _meta("wrong_at_most", "nan"),
    "windows of pictures": _meta("window_rate", "1e300"),
    "deep label sources": _meta("label_sources", DEEP),
    "no table of labels": _sql("DROP TABLE label"),
    "null class": _loose("class", "INSERT INTO class VALUES (3, NULL)"),
    "numeric class": _loose("class", "UPDATE class SET name = 5.5"),
    "huge class name": _sql('UPDATE class SET name = ? WHERE "index" = 0', values=("x" * HUGE,)),
    "class that does not exist": _loose("label", "UPDATE label SET class_index = 99"),
    "classes with a gap": _sql("INSERT INTO class VALUES (40, 'late')"),
    "text for a time": _loose("sample", "UPDATE sample SET start = 'soon'"),
    "infinite time": _sql('UPDATE sample SET start = 9e999, "end" = 9e999'),
    "unknown split": _sql("UPDATE source SET split = 'all'"),
    "blob for a path": _loose("source", "UPDATE source SET path = x'ff00'"),
    "text that is no text": _loose("source", "UPDATE source SET path = CAST(x'fffe41' AS TEXT)"),
    "class names that are no JSON": _sql("UPDATE run SET class_names = '{bad'"),
    "deep class names": _sql("UPDATE run SET class_names = ?", values=(DEEP,)),
    "null class names": _sql("UPDATE run SET class_names = 'null'"),
    "numeric class names": _sql("UPDATE run SET class_names = '[1, 2, 3]'"),
    "unknown state": _sql("UPDATE run SET state = 'odd'"),
    "text for an accuracy": _loose("run", "UPDATE run SET test_accuracy = 'good'"),
    "infinite accuracy": _sql("UPDATE run SET test_accuracy = 9e999"),
    "endless run number": _sql("UPDATE run SET number = 9000000000000000000"),
    "trigger": _sql("CREATE TRIGGER t AFTER INSERT ON label BEGIN DELETE FROM sample; END"),
    "view": _sql("ALTER TABLE label RENAME TO real_label", "CREATE VIEW label AS SELECT * FROM real_label"),
    "link for the cache": _link("cache"),
    "link for the runs": _link("runs"),
    "link for the backups": _link("backups"),
    "link for a run": _link("runs/0001"),
    "link for a lock": _link_file(".studio.lock"),
    "link for a draft": _link_file("runs/0001/settings.part"),
    "pipe for the settings": lambda project: os.mkfifo(project / "runs" / "0001" / "settings.toml"),
}


def _write(name: str, content: str | bytes) -> _Fault:
    def fault(project: Path) -> None:
        path = project / "runs" / "0001" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return fault


def _array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> _Fault:
    def fault(project: Path) -> None:
        path = project / "runs" / "0001" / "predictions" / f"{name}.npy"
        np.save(path, change(np.load(path)), allow_pickle=True)

    return fault


def _infinite(array: np.ndarray) -> np.ndarray:
    array[0] = np.nan
    return array


def _npy_header(name: str, shape: tuple[int, ...], dtype: str) -> _Fault:
    """An array whose header asks for much more than the file has."""

    def fault(project: Path) -> None:
        with (project / "runs" / "0001" / "predictions" / f"{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})

    return fault


RUN_FAULTS: dict[str, _Fault] = {
    "no probabilities": lambda project: (project / "runs/0001/predictions/probabilities.npy").unlink(),
    "noise for probabilities": _write("predictions/probabilities.npy", b"noise" * 100),
    "archive for probabilities": _write("predictions/probabilities.npy", b"PK\x03\x04" + b"\0" * 100),
    "probabilities of 360 GB": _npy_header("probabilities", (30_000_000_000, 3), "<f4"),
    "objects for labels": _array("labels", lambda array: array.astype(object)),
    "text for probabilities": _array("probabilities", lambda array: array.astype("U5")),
    "NaN for probabilities": _array("probabilities", _infinite),
    "fewer rows of labels": _array("labels", lambda array: array[:-1]),
    "more classes than there are": _array("probabilities", lambda array: np.tile(array, (1, 9))),
    "split that does not exist": _array("splits", lambda array: array + 77),
    "flat maps": _array("maps", lambda array: array.reshape(len(array), -1)),
}
"""Faults that make the predictions useless, so that evaluating ends in a sentence."""

SILENT_RUN_FAULTS: dict[str, _Fault] = {
    "noise for settings": _write("settings.toml", b"\xff\xfe=["),
    "deep settings": _write("settings.toml", "a = " + DEEP),
    "text for a target": _write("settings.toml", '[job]\nwrong_at_most = "many"\n'),
    "list for the job": _write("settings.toml", "job = [1]\nspeed = 3\n"),
    "noise for findings": _write("findings.json", b"\xff\xfe{"),
    "deep findings": _write("findings.json", DEEP),
    "numbers for findings": _write("findings.json", "[1, null, {}]"),
    "finding of an unknown level": _write("findings.json", '[{"about": 3, "level": "odd", "sentence": "x"}]'),
    "folder for findings": lambda project: (project / "runs/0001/findings.json").mkdir(),
    "folder for settings": lambda project: (project / "runs/0001/settings.toml").mkdir(),
    "huge numbers in the settings": _write(
        "settings.toml", f"[job]\nepochs = {'9' * 4000}\nseed = -{'9' * 400}\n[speed]\nfeatures = {'9' * 400}\n"
    ),
    "longer numbers than Python reads": _write("settings.toml", f"[job]\nepochs = {'9' * 5000}\n"),
    "text in the history": _write("history.csv", "epoch,train_loss\nsoon,much\n"),
    "infinite history": _write(
        "history.csv", "epoch,train_loss,valid_loss,valid_accuracy,rate,best\n1,1e999,nan,inf,0,True\n"
    ),
}
"""Faults in what only adds to a run: the project works on."""


# -- faults of models --------------------------------------------------------------------------------------------------

_Describe = Callable[[dict[str, object]], object]
_Redraw = Callable[[onnx.ModelProto], object]


def _says(**values: object) -> tuple[_Describe, None]:
    return (lambda description: description.update(values)), None


def _lacks(name: str) -> tuple[_Describe, None]:
    return (lambda description: description.pop(name)), None


def _reads(text: str) -> tuple[_Describe, None]:
    return (lambda _description: text), None


def _draws(change: _Redraw) -> tuple[None, _Redraw]:
    return None, change


def _external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../../etc/passwd"), ("offset", "0"), ("length", "12")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def _grown(values: int) -> _Redraw:
    """Let the answer wait for a tensor of so many values."""

    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        last = next(node for node in graph.node if "unlike" in node.output)
        last.output[list(last.output).index("unlike")] = "modest"
        graph.initializer.append(numpy_helper.from_array(np.array([values], dtype=np.int64), "many"))
        graph.initializer.append(numpy_helper.from_array(np.zeros((), dtype=np.float32), "none"))
        graph.node.extend(
            [
                helper.make_node("ConstantOfShape", ["many"], ["vast"]),
                helper.make_node("ReduceMax", ["vast"], ["flat"], keepdims=0),
                helper.make_node("Add", ["modest", "flat"], ["unlike"]),
            ]
        )

    return change


def _loops(model: onnx.ModelProto) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["value"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    last = next(node for node in model.graph.node if "unlike" in node.output)
    last.output[list(last.output).index("unlike")] = "modest"
    model.graph.initializer.append(numpy_helper.from_array(np.array(1 << 62, dtype=np.int64), "turns"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))
    model.graph.node.append(helper.make_node("Loop", ["turns", "always", "modest"], ["unlike"], body=body))


def _other_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 300_000


def _not_a_number(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.nan, tensor.name))


MODEL_FAULTS: dict[str, tuple[_Describe | None, _Redraw | None]] = {
    "description that is no JSON": _reads("{bad"),
    "deep description": _reads(DEEP),
    "list for the description": _reads("[]"),
    "class names that are no list": _says(classes="{bad"),
    "null class": _says(classes=[None, "green", "blue"]),
    "numeric classes": _says(classes=[1, 2, 3]),
    "the same class twice": _says(classes=["red", "red", "blue"]),
    "huge class name": _says(classes=["x" * HUGE, "green", "blue"]),
    "many classes": _says(classes=[str(number) for number in range(200_000)]),
    "text for a threshold": _says(reject_below="high"),
    "NaN for a threshold": _says(reject_below=float("nan")),
    "infinite threshold": _says(unlike_above=float("inf")),
    "thresholds of fewer classes": _says(class_reject_below=[0.5]),
    "text for thresholds": _says(present_above=["a", "b", "c"]),
    "true for a size": _says(size=True),
    "size of 360 GB": _says(size=300_000),
    "negative map": _says(map_size=[-7, 7]),
    "map of one side": _says(map_size=[7]),
    "windows of a picture": _says(windowing={"rate": 1e300, "seconds": 1e300, "step": 0}),
    "list for the kind": _says(kind=[]),
    "unknown task": _says(task_name="odd"),
    "list for the task": _says(task_name=["single"]),
    "number for the card": _says(card=3),
    "no temperature": _lacks("temperature"),
    "one value too many": _says(extra=1),
    "weights in another file": _draws(_external),
    "tensor of 360 GB": _draws(_grown(90_000_000_000)),
    "endless loop": _draws(_loops),
    "another input": _draws(_other_input),
    "weights that are no numbers": _draws(_not_a_number),
}
