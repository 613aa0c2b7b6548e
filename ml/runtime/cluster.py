"""Prediction spread over processes and machines by Ray Data (the extra `cluster`). Torch-free, like all of this."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.data
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.messages import from_json, msg, to_json
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import BATCH, FilePrediction, UnreadableInput, WindowPrediction, predict_files
from ml.runtime.model import ReleasedModel

FILES_AT_ONCE = 8 * BATCH
"""Files that one worker is given at a time."""
BLOCKS = 4
"""Parts of the work per worker, so that a slow one does not keep the others waiting at the end."""


def predict_on_cluster(
    model: Path | bytes, paths: Sequence[Path], *, workers: int | None = None, info: ModelInfo | None = None
) -> Iterator[Any]:
    """What `folder.predict_files` yields without maps, in the same order, with the work done by Ray's workers.

    Connects to the cluster that the environment variable RAY_ADDRESS names, or else starts one on this machine with
    `workers` processes (one per core if None). The workers open the files under the same paths; the model is sent to
    them; `info` takes the place of what stands in it. Raises HandlensError where Ray cannot work.
    """
    data = model if isinstance(model, bytes) else model.read_bytes()
    began = _connect(workers)
    try:
        count = max(1, int(ray.cluster_resources().get("CPU", 1)))
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        for talker in ("ray.data", "ray.data._internal.execution.streaming_executor"):
            logging.getLogger(talker).setLevel(logging.ERROR)
        files = ray.data.from_items(
            [{"path": os.fsencode(path.absolute())} for path in paths],
            override_num_blocks=max(1, min(BLOCKS * count, -(-len(paths) // FILES_AT_ONCE))),
        )
        answers = files.map_batches(
            _Predictor,
            fn_constructor_args=(ray.put(data), info),
            batch_size=FILES_AT_ONCE,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=count),
            num_cpus=1,
        )
        for given, row in zip(paths, answers.iter_rows(), strict=True):
            yield _read(row["answer"], given)
    except ray.exceptions.RayError as error:
        raise HandlensError(
            msg("The cluster could not finish: one of its machines was lost or ran out of memory. Start it again."),
            details=repr(error),
        ) from error
    finally:
        if began:
            ray.shutdown()


class _Predictor:
    """One worker: holds the model and answers for the files it is given."""

    def __init__(self, data: Any, info: ModelInfo | None) -> None:
        model: bytes = ray.get(data) if isinstance(data, ray.ObjectRef) else data
        self._model = ReleasedModel.from_bytes(model)
        if info is not None:
            self._model.info = info

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        paths = [Path(os.fsdecode(path)) for path in batch["path"]]
        return {"answer": np.array([_written(answer) for answer in predict_files(self._model, paths)], dtype=object)}


def _connect(workers: int | None) -> bool:
    """True where this started the cluster. Ray reports how it is used to its makers unless it is told not to."""
    if ray.is_initialized():
        return False
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    where: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **where)
    except (OSError, RuntimeError, ValueError) as error:
        raise HandlensError(
            msg("Ray could not be reached or started. Check the address in RAY_ADDRESS, or leave out --ray."),
            details=repr(error),
        ) from error
    return True


def _written(answer: FilePrediction | UnreadableInput) -> str:
    """An answer without its maps, on its way from a worker."""
    if isinstance(answer, UnreadableInput):
        return json.dumps({"reason": to_json(answer.reason)})
    windows = [(window.start, window.end, window.probabilities.tolist(), window.unlike) for window in answer.windows]
    return json.dumps(
        {
            "probabilities": answer.probabilities.tolist(),
            "unlike": answer.unlike,
            "decision": answer.decision,
            "windows": windows,
            "cut": answer.cut,
        }
    )


def _read(text: str, path: Path) -> FilePrediction | UnreadableInput:
    """The same, under the name the user gave and not the one the worker opened it by."""
    answer = json.loads(text)
    if "reason" in answer:
        return UnreadableInput(path=path, reason=from_json(answer["reason"]))
    windows = [
        WindowPrediction(start=start, end=end, probabilities=np.array(each, dtype=np.float32), unlike=unlike)
        for start, end, each, unlike in answer["windows"]
    ]
    return FilePrediction(
        path=path,
        probabilities=np.array(answer["probabilities"], dtype=np.float32),
        unlike=answer["unlike"],
        decision=answer["decision"],
        windows=tuple(windows),
        cut=answer["cut"],
    )
