"""The learning core of Handlens. Usable alone from a terminal, a notebook or a server; never imports Qt."""

import os

__version__ = "0.1.0"

# Nothing leaves the machine: ONNX Runtime reports how it is used to its makers unless it is told not to before it is
# imported (its Privacy.md), and so does the library that downloads networks.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
