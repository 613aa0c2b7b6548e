"""Export a trained network to ONNX, and measure the parity of both."""

from __future__ import annotations

import io
import logging
import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from torch import Tensor, nn

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.runtime.contract import OUTPUTS

OPSET = 17
PARITY_BATCH = 4
"""Samples compared at a time, to limit the memory."""

_log = logging.getLogger(__name__)


def export_graph(module: nn.Module, example: Tensor, *, outputs: tuple[str, ...], name: str = "raw") -> bytes:
    """Return the ONNX graph of `module` with a free batch size. `example` is a batch of two or more.

    Raises HandlensError if no exporter supports the module.
    """
    try:
        return export_older(module, example, outputs=outputs, name=name)
    except Exception as error:  # the exporter's errors share no narrower base class
        _log.warning("the older exporter failed", exc_info=error)
        return export_newer(module, example, outputs=outputs, name=name)


def export_newer(module: nn.Module, example: Tensor, *, outputs: tuple[str, ...], name: str) -> bytes:
    """Export with the slower exporter, which supports more networks. Raises HandlensError."""
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                verbose=False,
                input_names=[name],
                output_names=list(outputs),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
        assert program is not None
        proto: bytes = program.model_proto.SerializeToString()
    except Exception as error:  # as above
        raise HandlensError(
            msg(
                "This pretrained network cannot be written to a model file, so no model was released. Train with "
                "another network."
            ),
            details=repr(error),
        ) from error
    return proto


def export_older(module: nn.Module, example: Tensor, *, outputs: tuple[str, ...], name: str) -> bytes:
    """Export with the older exporter, which takes 1 s; the newer one takes 12 s on two cores. See docs/adr."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # Ignore the deprecation and the constants in the graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example,),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=[name],
            output_names=list(outputs),
            dynamic_axes={axis: {0: "batch"} for axis in (name, *outputs)},
        )
    return buffer.getvalue()


def parity(
    session: InferenceSession,
    released: nn.Module,
    batch: NDArray[np.generic],
    *,
    name: str,
    stored: NDArray[np.floating],
) -> float:
    """Return the largest difference in probability on `batch` between the exported graph and both the trained network
    and the `stored` predictions (n, classes) of the run."""
    differences = [0.0]
    for start in range(0, len(batch), PARITY_BATCH):
        part = slice(start, start + PARITY_BATCH)
        exported = session.run([OUTPUTS[0]], {name: batch[part]})[0]
        with torch.inference_mode():
            trained = released(torch.from_numpy(batch[part]))[0].float().numpy()
        differences += [np.abs(exported - trained).max(), np.abs(exported - stored[part]).max()]
    return float(np.max(differences))  # NaN if one of them is NaN
