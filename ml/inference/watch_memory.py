"""What a watched folder remembers on disk: answered files, hits of rules, and what is still to be written or sent.

Everything about one file is one transaction, so that a kill at any moment neither loses an event nor repeats it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ml.core.errors import HandlensError
from ml.core.messages import msg, verbatim
from ml.inference.rules import Tally

_COMPARED = 1 << 16
"""Bytes at the beginning and at the end of a file that tell whether it is another one."""
_TABLES = """
CREATE TABLE IF NOT EXISTS answered (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tally (rule TEXT PRIMARY KEY, hits TEXT NOT NULL, last REAL);
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, payload TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0, begun INTEGER NOT NULL DEFAULT 0, place INTEGER
);
CREATE INDEX IF NOT EXISTS outbox_by_target ON outbox (target, due);
"""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells two states of a file apart without reading it."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Item:
    """Something to write or send. `begun`: an earlier process may have done it. `place`: where in the file it goes."""

    id: int
    target: str
    payload: dict[str, Any]
    attempts: int
    begun: bool
    place: int | None


class WatchMemory:
    """A small database that one process at a time may use, from several threads.

    Raises HandlensError where it is damaged, cannot be written, or belongs to another process.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.RLock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._owner = FileLock(f"{file}.lock")
            self._owner.acquire(timeout=0)
        except Timeout:
            raise HandlensError(
                msg("This folder is already watched by another Handlens. End that one first.")
            ) from None
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            self._owner.release()
            raise self._failed(error) from error

    def close(self) -> None:
        """Let another process use it."""
        with self._lock:
            self._db.close()
            self._owner.release()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all changes of the block, on disk when it ends, or none."""
        with self._lock:
            try:
                try:
                    self._db.execute("BEGIN IMMEDIATE")
                    yield
                    self._db.execute("COMMIT")  # fails where the disk is full
                except BaseException:  # KeyboardInterrupt comes anywhere, also between these lines
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._failed(error) from error

    def is_answered(self, path: Path, stamp: Stamp) -> bool:
        """Whether this state of the file was answered; a file with other times but the same content was, too."""
        key = os.fsencode(path)
        with self._reading():
            found = self._db.execute("SELECT size, mtime_ns, digest FROM answered WHERE path = ?", (key,)).fetchone()
            if found is None or found[0] != stamp.size:
                return False
            if found[1] == stamp.mtime_ns:
                return True
        try:  # network drives change times, for example with the season
            same = bool(found[2]) and fingerprint(path) == found[2]
        except OSError:
            return False
        if same:
            self.remember(path, stamp, found[2])
        return same

    def remember(self, path: Path, stamp: Stamp, digest: bytes) -> None:
        """Count this state of the file as answered."""
        with self._reading():
            self._db.execute(
                "INSERT OR REPLACE INTO answered VALUES (?, ?, ?, ?)",
                (os.fsencode(path), stamp.size, stamp.mtime_ns, digest),
            )

    def answered(self) -> int:
        """Return how many files were answered."""
        with self._reading():
            return int(self._db.execute("SELECT count(*) FROM answered").fetchone()[0])

    def forget_answers(self) -> None:
        """Answer every file again; what is still to be sent stays."""
        with self.transaction():
            self._db.execute("DELETE FROM answered")
            self._db.execute("DELETE FROM tally")

    def tally(self, rule: str) -> Tally:
        """Return the hits of a rule."""
        with self._reading():
            found = self._db.execute("SELECT hits, last FROM tally WHERE rule = ?", (rule,)).fetchone()
        return Tally() if found is None else Tally(json.loads(found[0]), found[1])

    def keep_tally(self, rule: str, tally: Tally) -> None:
        """Keep the hits of a rule."""
        with self._reading():
            row = (rule, json.dumps(tally.hits), tally.last)
            self._db.execute("INSERT OR REPLACE INTO tally VALUES (?, ?, ?)", row)

    def put(self, target: str, payload: Mapping[str, Any]) -> None:
        """Leave something to be written or sent."""
        with self._reading():
            self._db.execute("INSERT INTO outbox (target, payload) VALUES (?, ?)", (target, json.dumps(payload)))

    def due(self, targets: Sequence[str], now: float) -> Item | None:
        """Return the oldest item for one of the targets whose time has come."""
        marks = ", ".join("?" for _ in targets)
        query = (
            "SELECT id, target, payload, attempts, begun, place FROM outbox "
            f"WHERE target IN ({marks}) AND due <= ? ORDER BY id LIMIT 1"
        )
        with self._reading():
            found = self._db.execute(query, (*targets, now)).fetchone()
        return None if found is None else _item(found)

    def all_due(self, target: str, most: int) -> list[Item]:
        """Return the oldest items for one target, at most so many."""
        query = "SELECT id, target, payload, attempts, begun, place FROM outbox WHERE target = ? ORDER BY id LIMIT ?"
        with self._reading():
            found = self._db.execute(query, (target, most)).fetchall()
        return [_item(row) for row in found]

    def waiting(self, targets: Sequence[str]) -> int:
        """Return how many items are still to be sent."""
        marks = ", ".join("?" for _ in targets)
        with self._reading():
            found = self._db.execute(f"SELECT count(*) FROM outbox WHERE target IN ({marks})", tuple(targets))
            return int(found.fetchone()[0])

    def begin(self, item: Item, place: int | None = None) -> None:
        """Note, before it happens, that the item is being written or sent."""
        with self._reading():
            self._db.execute("UPDATE outbox SET begun = 1, place = ? WHERE id = ?", (place, item.id))

    def postpone(self, item: Item, due: float) -> None:
        """Try the item again at `due`."""
        with self._reading():
            self._db.execute(
                "UPDATE outbox SET attempts = attempts + 1, due = ?, begun = 0 WHERE id = ?", (due, item.id)
            )

    def done(self, item: Item) -> None:
        """Forget an item that was written or sent, or is given up."""
        with self._reading():
            self._db.execute("DELETE FROM outbox WHERE id = ?", (item.id,))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise self._failed(error) from error

    def _failed(self, error: Exception) -> HandlensError:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            message = msg(
                "What was answered is kept in {path}, which is damaged. Remove that file. All files are then answered "
                "again.",
                path=str(self.file),
            )
        else:
            message = msg(
                "What was answered cannot be kept in {path}: {reason}. Free some space, or allow writing there.",
                path=str(self.file),
                reason=verbatim(str(error)),
            )
        return HandlensError(message, details=repr(error))


def _item(row: tuple[Any, ...]) -> Item:
    return Item(row[0], row[1], json.loads(row[2]), row[3], bool(row[4]), row[5])


def fingerprint(path: Path) -> bytes:
    """Return a hash of both ends of a file: enough to see that it is the same one. Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.blake2b(file.read(_COMPARED), digest_size=16)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(_COMPARED, size - _COMPARED))
        digest.update(file.read(_COMPARED))
    return digest.digest()
