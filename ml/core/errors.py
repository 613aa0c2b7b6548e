"""The one kind of error that is meant for a person."""

from __future__ import annotations

from typing import Literal

from ml.core.messages import Message, english

FailureReason = Literal["", "changed_weights"]
"""A failure that the user can answer with a decision."""


class HandlensError(Exception):
    """Something the user can understand and act on.

    `message` is one sentence: what happened, why if known, what to do. `details` is what a
    developer would want to see and is shown only on request. `command` is what to type at a
    terminal to mend it; only the command line says it, the window has a button.
    """

    reason: FailureReason = ""

    def __init__(self, message: Message, *, details: str = "", command: str = "") -> None:
        super().__init__(english(message))
        self.message = message
        self.details = details
        self.command = command

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword-only arguments do not survive a pipe without this.
        return (_rebuild, (type(self), self.message, self.details, self.command))


class ChangedWeightsError(HandlensError):
    """Downloaded weights differ from those that were first downloaded under this name."""

    reason = "changed_weights"


class DamagedProjectError(HandlensError):
    """The database of a project is damaged; `backup` names the day of its newest backup, ISO 8601, or is empty."""

    backup: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_damaged, (self.message, self.details, self.command, self.backup))


class UnreadableError(HandlensError):
    """A file could not be decoded; `message` is the reason in plain words."""


def _rebuild(cls: type[HandlensError], message: Message, details: str, command: str) -> HandlensError:
    return cls(message, details=details, command=command)


def _rebuild_damaged(message: Message, details: str, command: str, backup: str) -> DamagedProjectError:
    error = DamagedProjectError(message, details=details, command=command)
    error.backup = backup
    return error
