"""Answers about very many files: written down one by one, so that a run that was killed continues where it was.

The list of answers stands beside the tables that are made from it at the end. Its first line says which model answers
about which inputs; each further line is the answer about one file. A line without an end was torn by a kill.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from filelock import FileLock, Timeout

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.outputs import make_folder, unwritable
from ml.core.untrusted import list_in, table_in, text_in
from ml.inference.answers import UNREADABLE, Row
from ml.runtime.contract import ModelInfo

SUFFIX = ".unfinished"
"""Behind the name of a table: the list of answers it will be made from."""
_FORMAT = 1
_MOST_INPUTS = 1_000_000
_DIGEST = 12
"""Bytes for each path, where a folder has changed since: two of a billion paths are the same by chance once in 10¹¹."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a list answers: about which inputs, with which model."""

    model: str
    """SHA-256 of the model file and its settings."""
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, model: Path, info: ModelInfo, inputs: Sequence[Path]) -> Work:
        """Describe the work of `model`, used with the settings in `info`. Raises OSError."""
        digest = hashlib.sha256(info.to_json().encode())
        with model.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
        return cls(digest.hexdigest(), tuple(str(path.expanduser().absolute()) for path in inputs))


class AnswerList:
    """The answers of one piece of work so far, in a file.

    `answered`: how many stood there at the beginning, `unreadable` of them about files that could not be read. `count`:
    how many stand there now.
    """

    def __init__(self, path: Path, work: Work, *, resume: bool = False) -> None:
        """Begin the list at `path`, or continue it.

        Raises HandlensError where another process writes it, where it cannot be written, where there is an unfinished
        list already that is not to be continued, and where the list to continue is of other work.
        """
        self.path = path.absolute()
        self.answered = self.unreadable = 0
        self._stream: BinaryIO
        self._work = work
        try:
            make_folder(self.path.parent)
            self._lock = FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=0)
            self._lock.acquire()
        except Timeout as error:
            raise HandlensError(
                msg("Another process is writing {path}. Wait until it has finished.", path=str(self.path))
            ) from error
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            self._open(resume=resume)
        except OSError as error:
            self._unlock()
            raise unwritable(self.path, error) from error
        except BaseException:
            self._unlock()
            raise
        self.count = self.answered

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, row: Row) -> None:
        """Write down one answer; it outlives this process from now on. Raises HandlensError."""
        try:
            # Names that are no text survive as escapes.
            self._stream.write(json.dumps(row).encode() + b"\n")
            self._stream.flush()
        except OSError as error:
            raise unwritable(self.path, error) from error
        self.count += 1

    def rows(self) -> Iterator[Row]:
        """Yield the answers, one after another. Raises HandlensError."""
        try:
            with self.path.open("rb") as stream:
                stream.readline()
                yield from (json.loads(line) for line in islice(stream, self.count))
        except OSError as error:
            raise unwritable(self.path, error) from error

    def unanswered(self, search: Callable[[], Iterator[Path]]) -> Iterator[Path]:
        """Yield the files of a search that have no answer yet, in its order.

        A search that finds the same files in the same order is compared name by name, so memory does not grow. If
        files came or went since, their names are compared by short digests that are held in memory.
        """
        recorded = (row["path"] for row in islice(self.rows(), self.answered))
        found = search()
        for known in recorded:
            path = next(found, None)
            if path is None or str(path) != known:
                return self._not_among(search())
        return found

    def _not_among(self, found: Iterator[Path]) -> Iterator[Path]:
        known = {_digest(row["path"]) for row in islice(self.rows(), self.answered)}
        return (path for path in found if _digest(str(path)) not in known)

    def close(self) -> None:
        """Leave the list for later."""
        try:
            self._stream.close()
        except OSError as error:
            raise unwritable(self.path, error) from error
        finally:
            self._unlock()

    def remove(self) -> None:
        """Remove the list: everything in it stands elsewhere now."""
        self.path.unlink(missing_ok=True)

    def _open(self, *, resume: bool) -> None:
        begun = self.path.is_file() and self.path.stat().st_size > 0
        if not begun or not self._read(resume=resume):
            self._stream = self.path.open("wb")
            self._stream.write(json.dumps({"format": _FORMAT, **asdict(self._work)}).encode() + b"\n")
            self._stream.flush()

    def _read(self, *, resume: bool) -> bool:
        """Open the list behind its last whole line; False where not even the first is whole."""
        self._stream = self.path.open("r+b")
        try:
            first = self._stream.readline(1 << 28)
            if not first.endswith(b"\n"):
                self._stream.close()
                return False
            if not resume:
                raise HandlensError(
                    msg(
                        "{path} holds the answers of a run that did not finish. Add {option} to continue it, or delete "
                        "the file to start again.",
                        path=str(self.path),
                        option="--resume",
                    )
                )
            self._check(first)
            end = self._stream.tell()
            for line in self._stream:
                row = _row_in(line)
                if row is None:
                    break
                end += len(line)
                self.answered += 1
                self.unreadable += row["decision"] == UNREADABLE
            self._stream.seek(end)
            self._stream.truncate()
        except BaseException:
            self._stream.close()
            raise
        return True

    def _check(self, first: bytes) -> None:
        try:
            values = table_in(json.loads(first), "the first line")
            if values.get("format") != _FORMAT:
                raise ValueError("another format")
            model = text_in(values.get("model"), "model")
            inputs = tuple(list_in(values.get("inputs"), "inputs", most=_MOST_INPUTS))
        except (ValueError, RecursionError) as error:
            raise HandlensError(
                msg(
                    "{path} is damaged or not a list of answers, so it cannot be continued. Delete it to start again.",
                    path=str(self.path),
                ),
                details=repr(error),
            ) from error
        if model != self._work.model:
            raise HandlensError(
                msg(
                    "{path} was begun with another model or other settings. Use those again, or delete the file to "
                    "start again.",
                    path=str(self.path),
                )
            )
        if inputs != self._work.inputs:
            raise HandlensError(
                msg(
                    "{path} was begun with other files or folders. Give those again, or delete the file to start "
                    "again.",
                    path=str(self.path),
                )
            )

    def _unlock(self) -> None:
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def _row_in(line: bytes) -> Row | None:
    """The answer in a line; None if it is torn."""
    if not line.endswith(b"}\n"):
        return None
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and {"path", "decision"} <= row.keys() else None


def _digest(path: str) -> bytes:
    return hashlib.blake2b(path.encode("utf-8", errors="surrogatepass"), digest_size=_DIGEST).digest()
