"""What the Train page says when its user wants the end: nothing to keep yet, still learning, or only finishing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from desktop.i18n import tr

Ending = Literal["unbegun", "nothing", "standing", "learning", "finishing"]
"""The run has no number yet; there is no model yet; none yet, but passes from before; there is one and it learns on;
learning is over and the model is being finished."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """A run that can be gone on with: `stopped` by the user just now, or cut off; whether it left passes (`stands`)."""

    run: int
    stopped: bool
    stands: bool


def button(state: Ending) -> tuple[str, str]:
    """The words and the tooltip of the button that ends a training well."""
    if state == "unbegun":
        return tr("Stop"), tr("End now. Training has not begun, so nothing is lost.")
    if state == "standing":
        return tr("Stop"), tr("End now. The training so far is kept, and you can continue later.")
    if state == "nothing":
        return tr("Stop"), tr("End now. There is no model to keep yet, but you can continue later.")
    if state == "learning":
        return tr("Stop and keep"), tr("End now and keep the best model so far.")
    return tr("Stop and keep"), tr("Training has ended. The best model is being finished.")


def asked(state: Ending, now: str) -> str:
    """Right after the button was pressed. `now` is what the job said last about what it is doing."""
    if state == "unbegun":
        return tr("Stopping. Training has not begun, so nothing is lost.")
    if state == "standing":
        return tr("Stopping. The training so far is kept, and you can continue later.")
    if state == "nothing":
        return tr("Stopping. There is no model to keep yet, but you can continue later.")
    if state == "learning":
        return tr("Stopping. The best model so far is kept.")
    return finishing(now)


def finishing(now: str) -> str:
    """While a stopped training writes down what it has learned."""
    return tr("Training has ended. {now}", now=now)


def not_discarded(state: Ending, *, stopping: bool) -> tuple[str, str]:
    """Beside the question whether the run shall be discarded: how it would end otherwise, and the verb for that."""
    if state == "finishing":
        return tr("Training has ended. The best model is being finished."), tr("Let it finish")
    if stopping:
        return asked(state, ""), tr("Let it finish")
    keeps = tr("“Stop and keep” also ends the training, and keeps the best model so far.")
    return keeps if state == "learning" else "", tr("Continue training")


def left_over(left: Left) -> str:
    """Of a run that can be gone on with."""
    number = str(left.run)
    if left.stands and left.stopped:
        return tr("Run {n} was stopped before it ended. Its training so far is kept.", n=number)
    if left.stands:
        return tr("Run {n} was interrupted before it ended. Its training so far is kept.", n=number)
    if left.stopped:
        return tr("Run {n} was stopped before it had a model. Its preparation so far is kept.", n=number)
    return tr("Run {n} was interrupted at the start. Its preparation so far is kept.", n=number)
