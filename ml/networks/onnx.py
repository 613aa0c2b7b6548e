"""From a trained network to `model.onnx`, and the proof that both say the same."""

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
AT_ONCE = 4
"""Samples that are compared at once: what a step needs grows with them."""

_log = logging.getLogger(__name__)


def export_graph(module: nn.Module, example: Tensor, *, outputs: tuple[str, ...], name: str = "raw") -> bytes:
    """The ONNX graph of `module`; the batch size is free. `example` holds a batch of two or more.

    Raises HandlensError where no exporter knows all that is in it.
    """
    try:
        return export_older(module, example, outputs=outputs, name=name)
    except Exception as error:  # the exporter's errors share no narrower base class
        _log.warning("the older exporter failed", exc_info=error)
        return export_newer(module, example, outputs=outputs, name=name)


def export_newer(module: nn.Module, example: Tensor, *, outputs: tuple[str, ...], name: str) -> bytes:
    """As `export_graph`, with the exporter that knows more networks and takes longer. Raises HandlensError."""
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
    """As `export_graph`. This exporter needs 1 s where the newer one needs 12 s on two cores, see docs/adr."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter says that it is the older one, and that the constant sizes in the graph are constant.
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
    """The largest difference in probability on `batch` between the exported graph and what it has to agree with: the
    trained network, and the predictions (n, classes) that were stored with the run."""
    differences = [0.0]
    for start in range(0, len(batch), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        exported = session.run([OUTPUTS[0]], {name: batch[part]})[0]
        with torch.inference_mode():
            trained = released(torch.from_numpy(batch[part]))[0].float().numpy()
        differences += [np.abs(exported - trained).max(), np.abs(exported - stored[part]).max()]
    return float(np.max(differences))  # not a number, where one of them is none
