"""Put ONNX graphs together node by node, with the operators of NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET, IR_VERSION = 17, 8
"""Of ONNX 1.12: read by every ONNX Runtime that Handlens supports."""

_INT32_MAX = 2**31 - 1


class GraphBuilder:
    """An ONNX graph with a free first axis, the batch."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> Value:
        """Return the input `name` (batch, *shape)."""
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._inputs.append(helper.make_tensor_value_info(name, element, ["batch", *shape]))
        return Value(self, name)

    def constant(self, value: NDArray[Any] | float | Sequence[int]) -> Value:
        """Return a constant; floats become float32, sequences of whole numbers int64."""
        array = np.asarray(value)
        array = np.asarray(array, dtype=np.float32 if array.dtype.kind == "f" else np.int64, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"constant{len(self._constants)}"
            self._initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return Value(self, self._constants[key])

    def op(
        self, kind: str, *operands: Value | NDArray[Any] | float | None, outputs: int = 1, **attributes: Any
    ) -> Value:
        """Add a node of the ONNX operator `kind` and return its first output; None leaves an optional input out."""
        names = ["" if item is None else self._value(item).name for item in operands]
        result = f"value{len(self._nodes)}"
        others = [f"{result}_{number}" for number in range(1, outputs)]
        self._nodes.append(helper.make_node(kind, names, [result, *others], **attributes))
        return Value(self, result)

    def output(self, name: str, value: Value, shape: tuple[int, ...], dtype: Any = np.float32) -> None:
        """Make `value` (batch, *shape) the output `name`."""
        self._nodes.append(helper.make_node("Identity", [value.name], [name]))
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._outputs.append(helper.make_tensor_value_info(name, element, ["batch", *shape]))

    def to_bytes(self) -> bytes:
        """Return the model as a file holds it."""
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="handlens")
        model.ir_version = IR_VERSION
        content: bytes = model.SerializeToString()
        return content

    def _value(self, item: Value | NDArray[Any] | float) -> Value:
        return item if isinstance(item, Value) else self.constant(item)


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor in a graph."""

    # NumPy leaves `array @ value` to this class.
    __array_ufunc__: ClassVar[None] = None

    graph: GraphBuilder
    name: str

    def __add__(self, other: Value | NDArray[Any] | float) -> Value:
        return self.graph.op("Add", self, other)

    def __sub__(self, other: Value | NDArray[Any] | float) -> Value:
        return self.graph.op("Sub", self, other)

    def __rsub__(self, other: NDArray[Any] | float) -> Value:
        return self.graph.op("Sub", other, self)

    def __mul__(self, other: Value | NDArray[Any] | float) -> Value:
        return self.graph.op("Mul", self, other)

    def __truediv__(self, other: Value | NDArray[Any] | float) -> Value:
        return self.graph.op("Div", self, other)

    def __matmul__(self, other: Value | NDArray[Any]) -> Value:
        return self.graph.op("MatMul", self, other)

    def __rmatmul__(self, other: NDArray[Any]) -> Value:
        return self.graph.op("MatMul", other, self)

    def abs(self) -> Value:
        return self.graph.op("Abs", self)

    def sqrt(self) -> Value:
        return self.graph.op("Sqrt", self)

    def log(self) -> Value:
        return self.graph.op("Log", self)

    def exp(self) -> Value:
        return self.graph.op("Exp", self)

    def tanh(self) -> Value:
        return self.graph.op("Tanh", self)

    def clip(self, low: float | None = None, high: float | None = None) -> Value:
        return self.graph.op("Clip", self, low, high)

    def mean(self, *axes: int, keepdims: bool = True) -> Value:
        return self.graph.op("ReduceMean", self, axes=list(axes), keepdims=int(keepdims))

    def max(self, *axes: int, keepdims: bool = True) -> Value:
        return self.graph.op("ReduceMax", self, axes=list(axes), keepdims=int(keepdims))

    def sum(self, *axes: int, keepdims: bool = True) -> Value:
        return self.graph.op("ReduceSum", self, self.graph.constant(list(axes)), keepdims=int(keepdims))

    def astype(self, dtype: Any) -> Value:
        return self.graph.op("Cast", self, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def transpose(self, *order: int) -> Value:
        return self.graph.op("Transpose", self, perm=list(order))

    def reshape(self, *shape: int) -> Value:
        """Return the tensor in another shape: 0 keeps an axis, -1 takes what is left."""
        return self.graph.op("Reshape", self, self.graph.constant(list(shape)))

    def insert_axis(self, axis: int) -> Value:
        return self.graph.op("Unsqueeze", self, self.graph.constant([axis]))

    def slice(self, axis: int, start: int, stop: int | None = None, step: int = 1) -> Value:
        end = (-_INT32_MAX if step < 0 else _INT32_MAX) if stop is None else stop
        parts = (self.graph.constant([each]) for each in (start, end, axis, step))
        return self.graph.op("Slice", self, *parts)

    def pad(self, before: Sequence[int], after: Sequence[int], mode: str = "constant") -> Value:
        return self.graph.op("Pad", self, self.graph.constant([*before, *after]), mode=mode)

    def expand(self, *shape: int) -> Value:
        """Repeat axes of length 1; 1 keeps an axis."""
        return self.graph.op("Expand", self, self.graph.constant(list(shape)))

    def resize(self, height: int, width: int, channels: int) -> Value:
        """Resize (batch, channels, h, w) by bilinear interpolation, as torch does without aligned corners."""
        sizes = self.graph.op(
            "Concat",
            self.graph.op("Shape", self, end=1),
            self.graph.constant([channels, height, width]),
            axis=0,
        )
        return self.graph.op(
            "Resize", self, None, None, sizes, mode="linear", coordinate_transformation_mode="pytorch_half_pixel"
        )


def concat(values: Sequence[Value], axis: int) -> Value:
    """Join the tensors along `axis`."""
    first = values[0]
    return first if len(values) == 1 else first.graph.op("Concat", *values, axis=axis)
