"""Names of the pages of an open project, for whoever sends the person to one of them."""

from __future__ import annotations

DATA = "data"
LABEL = "label"
TRAIN = "train"
EXPLORE = "explore"
USE = "use"
RUNS = "runs"
LABELS = "labels"
"""No page, but the job that writes many labels."""
