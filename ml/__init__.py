"""The learning core of Handlens. Usable alone from a terminal, a notebook or a server; never imports Qt."""

__version__ = "0.1.0"
