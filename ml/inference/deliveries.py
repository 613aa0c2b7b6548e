"""Send what fired: one thread for each kind of action, from a queue on disk, with growing pauses after failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ml.core.errors import HandlensError
from ml.core.messages import Message, msg
from ml.inference.actions import Command, Mqtt, NotDeliveredError, Notify, RuleAction, Webhook
from ml.inference.rules import RuleSet
from ml.inference.watch_memory import Item, WatchMemory

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
GIVEN_UP_AFTER = 7 * 86_400.0
"""Seconds for which an alarm is worth sending."""
_LOOKS_EVERY = 0.5

INTERRUPTED = msg("Handlens ended while this was done, so it is not repeated.")
_TOO_OLD = msg("It could not be sent for a week and was given up.")

Outcome = Callable[[Mapping[str, Any], str, Message | None, bool], None]
"""Called with the event, the action, why it failed (None where it worked), and whether it is tried again. Of
several failures in a row the first and the last are told."""


def make_actions(rules: RuleSet, others: Mapping[str, RuleAction] | None = None) -> dict[str, RuleAction]:
    """Return the actions that the rules use, by name; `others` take the place of the usual ones."""
    makers: dict[str, Callable[[], RuleAction]] = {
        "notify": Notify,
        "webhook": Webhook,
        "mqtt": lambda: Mqtt(rules.broker),
        "command": Command,
    }
    used = [name for name in makers if any(name in rule.actions for rule in rules.rules)]
    return {name: (others or {}).get(name) or makers[name]() for name in used}


class Deliveries:
    """The threads that send. `outcome` is called in them."""

    def __init__(self, memory: WatchMemory, actions: Mapping[str, RuleAction], outcome: Outcome) -> None:
        self._memory = memory
        self._outcome = outcome
        self._end = threading.Event()
        self._new = {name: threading.Event() for name in actions}
        self._actions = actions
        self.trouble: HandlensError | None = None
        """Why a thread had to end."""
        self._threads = [
            threading.Thread(target=self._send_all, args=(name,), name=f"deliver-{name}", daemon=True)
            for name in actions
        ]

    def start(self) -> None:
        """Begin to send, first what an earlier process has left."""
        for thread in self._threads:
            thread.start()

    def notice(self) -> None:
        """Say that something new is in the queue."""
        for new in self._new.values():
            new.set()

    def stop(self, seconds: float) -> None:
        """Send what is due, for at most so many seconds; the rest stays in the queue."""
        self._end.set()
        self.notice()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        for action in self._actions.values():
            action.close()

    def _send_all(self, name: str) -> None:
        try:
            while True:
                self._new[name].clear()
                while (item := self._memory.due([name], time.time())) is not None:
                    self._send(item)
                if self._end.is_set():
                    return
                self._new[name].wait(_LOOKS_EVERY)
        except HandlensError as error:
            self.trouble = error
        except BrokenPipeError:  # nobody reads what is printed, and the main thread ends at that, too
            return

    def _send(self, item: Item) -> None:
        action, event = self._actions[item.target], item.payload["event"]
        try:
            if item.begun and not action.repeatable:
                raise NotDeliveredError(INTERRUPTED, again=False)
            self._memory.begin(item)
            action.deliver(event, item.payload["to"])
        except NotDeliveredError as error:
            again, reason = error.again, error.reason
            if again and time.time() - item.payload["since"] > GIVEN_UP_AFTER:
                again, reason = False, _TOO_OLD
            with self._memory.transaction():
                if again:
                    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(item.attempts, 20))
                    self._memory.postpone(item, time.time() + pause)
                else:
                    self._memory.done(item)
                if not again or not item.attempts:
                    self._outcome(event, item.target, reason, again)
            return
        with self._memory.transaction():
            self._memory.done(item)
            self._outcome(event, item.target, None, False)
