"""The tables of `project.db`. SQLite in WAL mode: the window and a worker both write, and neither waits for long."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError, ProgrammingError

from ml.core.disk import disk_is_full
from ml.core.errors import DamagedProjectError, HandlensError
from ml.core.messages import Message, msg
from ml.core.untrusted import parse_json
from ml.project.backup import backups, day_of

SCHEMA_VERSION = 2
"""1: all files are below the source folder. 2: with the table `root`."""
FULL = msg("The disk is full, so the project could not be written. Free some space and try again. Nothing is lost.")
_LEAST_INDEX = 1 << 15
_LONGEST_VALUE = 16 << 20
"""Bytes of one value or row. SQLite refuses longer ones."""
_CACHE_KIB = 32 << 10
"""With SQLite's 2 MB, a transaction of many labels writes its pages several times."""
_SIGNS_OF_DAMAGE = (
    "malformed",
    "not a database",
    "could not decode",
    "too big",
    "no such table",
    "no such column",
    "unsafe use",
    "unsupported file format",
    "no such collation",
    "no such function",
    "no such module",
)

_metadata = sa.MetaData()

meta = sa.Table("meta", _metadata, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text))

classes = sa.Table(
    "class",
    _metadata,
    sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False, unique=True),
)

sources = sa.Table(
    "source",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("mtime_ns", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("ready_split", sa.Text),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("duration", sa.Float, nullable=False),
    sa.Column("rate", sa.Float, nullable=False),
    sa.Column("channels", sa.Integer, nullable=False),
    sa.Column("group_name", sa.Text),
    sa.Column("split", sa.Text),
)

# Folders and files that were added beside the source folder. The path of a source in one begins with its name.
roots = sa.Table(
    "root",
    _metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("absolute", sa.Text, nullable=False),
    sa.Column("relative", sa.Text, nullable=False),
)

unreadable = sa.Table(
    "unreadable",
    _metadata,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
)

samples = sa.Table(
    "sample",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source_id", sa.ForeignKey("source.id"), nullable=False, index=True),
    sa.Column("start", sa.Float),
    sa.Column("end", sa.Float),
    # The change that says what the sample's labels are now; NULL where nobody ever labelled it.
    sa.Column("change_id", sa.Integer),
)

# The history of labels, append-only. What a change set stands in `label`; an empty change took the labels away.
label_changes = sa.Table(
    "label_change",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sample_id", sa.ForeignKey("sample.id"), nullable=False, index=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("previous_id", sa.Integer),
)

labels = sa.Table(
    "label",
    _metadata,
    sa.Column("change_id", sa.ForeignKey("label_change.id"), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("class_index", sa.ForeignKey("class.index"), nullable=False),
    # The part of the recording, in seconds, that the label was given for; it may begin before the sample and end
    # behind it. NULL: it was given for the sample itself.
    sa.Column("start", sa.Float),
    sa.Column("end", sa.Float),
)

# What people noted on samples, append-only: the newest row of a sample counts. Projects that were made before there
# were notes get the table with the first one; older versions of Handlens open them all the same.
remarks = sa.Table(
    "remark",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sample_id", sa.ForeignKey("sample.id"), nullable=False, index=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("flagged", sa.Integer, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)

runs = sa.Table(
    "run",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("preset", sa.Text, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False, default=0.0),
    sa.Column("valid_accuracy", sa.Float),
    sa.Column("test_accuracy", sa.Float),
    sa.Column("probe_accuracy", sa.Float),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("class_names", sa.JSON, nullable=False),
)


def next_id(connection: sa.Connection, column: sa.Column[int]) -> int:
    """The number after the highest that was given in this column."""
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(column), 0))).scalar_one()) + 1


class Store:
    """One open `project.db`. Every `writing()` block is on disk when it ends."""

    def __init__(self, path: Path, *, create: bool = False, read_only: bool = False, full: bool = False) -> None:
        """`full`: the disk is, so that not even the index can be written that several readers share."""
        self.path = path
        alone = full and _has_more_to_come(path) and not _has_index(path)
        # Not "rwc" when opening: a project file that is missing must not be replaced by an empty one.
        query = {"mode": "ro" if read_only and not alone else "rwc" if create else "rw", "uri": "true"}
        if read_only and not _has_more_to_come(path):
            # Otherwise SQLite wants to write files of its own beside it.
            query["immutable"] = "1"
        url = sa.URL.create("sqlite", database=f"{path.absolute().as_uri()}", query=query)
        self._engine = sa.create_engine(url, connect_args={"timeout": 30}, json_deserializer=parse_json)
        if alone:
            sa.event.listen(self._engine, "connect", _share_with_nobody)
        sa.event.listen(self._engine, "connect", _configure)
        sa.event.listen(self._engine, "begin", _begin)
        try:
            if create:
                self._create_tables()
            else:
                self._check_version()
        except BaseException:
            # Nobody gets a store to close, and a connection that is only dropped stays open.
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A consistent view of the project for the length of the block."""
        with _in_words(self.path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """All of the block happens, and is on disk at its end, or none of it."""
        with (
            _in_words(self.path),
            self._engine.connect().execution_options(handlens_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def writing_rows(self) -> Iterator[sqlite3.Cursor]:
        """Do as `writing` does, with the driver's own cursor: one label takes a third of the time."""
        with _in_words(self.path), closing(self._engine.raw_connection()) as connection:
            cursor: Any = connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise

    def upgrade(self) -> None:
        """Bring a project of an earlier version to this one; nothing that it holds changes."""
        with self.reading() as connection:
            if _version(connection) == SCHEMA_VERSION:
                return
        with self.writing() as connection:
            if _version(connection) < SCHEMA_VERSION:  # another process may have been first
                roots.create(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        self._engine.dispose()

    def _create_tables(self) -> None:
        # SQLite would make the file with 0644 whatever the umask allows; its other files follow this one.
        os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o666))
        with _in_words(self.path), self._engine.connect() as connection:
            # Stays with the file. Asked for at every start it could collide with another process's first look.
            connection.connection.cursor().execute("PRAGMA journal_mode = WAL")
        with self.writing() as connection:
            _metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _check_version(self) -> None:
        try:
            with self.reading() as connection:
                version = _version(connection)
                if 1 <= version <= SCHEMA_VERSION:
                    connection.execute(sa.select(sa.func.count()).select_from(meta)).scalar_one()
        except DamagedProjectError:
            raise
        except (DatabaseError, HandlensError) as error:
            if disk_is_full(self.path.parent):
                raise HandlensError(FULL, details=str(error)) from error
            raise damaged(self.path, str(error)) from error
        if version > SCHEMA_VERSION:
            raise HandlensError(
                msg(
                    "The project “{project}” was made by a newer Handlens. Install the newest version to open it.",
                    project=self.path.parent.name,
                )
            )
        if version < 1 and backups(self.path.parent):
            raise damaged(self.path, "no version")
        if version < 1:
            raise HandlensError(
                msg(
                    "The project file {file} in “{folder}” is empty or was never finished. Create the project again "
                    "or put back a copy from a backup.",
                    file=self.path.name,
                    folder=self.path.parent.name,
                )
            )


def meta_value(connection: sa.Connection, key: str) -> str | None:
    """Return a value of the table `meta`; None where there is none of that key."""
    return connection.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar_one_or_none()


def set_meta_value(connection: sa.Connection, key: str, value: str) -> None:
    """Write a value of the table `meta`."""
    connection.execute(meta.delete().where(meta.c.key == key))
    connection.execute(meta.insert().values(key=key, value=value))


def _version(connection: sa.Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def _has_more_to_come(path: Path) -> bool:
    """Whether changes stand beside the file that have not found their way into it."""
    log = path.with_name(f"{path.name}-wal")
    return log.is_file() and log.stat().st_size > 0


def _has_index(path: Path) -> bool:
    """Whether somebody has the project open, or had it open last: then reading it takes no room."""
    index = path.with_name(f"{path.name}-shm")
    return index.is_file() and index.stat().st_size >= _LEAST_INDEX


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the database at `path` into a sentence for the user."""
    try:
        yield
    except (IntegrityError, ProgrammingError, sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # a fault of ours
    except (DatabaseError, sqlite3.DatabaseError) as error:
        # The second kind comes from `_configure` and from raw cursors, outside of SQLAlchemy's own calls.
        words = str(error.orig if isinstance(error, DatabaseError) else error).lower()
        if any(sign in words for sign in _SIGNS_OF_DAMAGE):
            raise damaged(path, str(error)) from error
        raise HandlensError(_sentence(words, path.parent), details=str(error)) from error


def damaged(path: Path, reason: str) -> DamagedProjectError:
    """Return the error for a database that SQLite cannot read, or that holds what Handlens never writes.

    SQLite checks the file first, so that the sentence can say which of both it is.
    """
    found = _quick_check(path)
    names = {"file": path.name, "folder": path.parent.name}
    copies = backups(path.parent)
    if found and copies:
        message = msg(
            "The project file {file} in “{folder}” is damaged: SQLite found errors in it. Nothing was changed. Restore "
            "the backup of {day}.",
            **names,
            day=day_of(copies[0]).isoformat(),
        )
    elif found:
        message = msg(
            "The project file {file} in “{folder}” is damaged or is not a Handlens project. Nothing was changed in it. "
            "Put back a copy of the folder from a backup.",
            **names,
        )
    elif copies:
        message = msg(
            "The project file {file} in “{folder}” is damaged: it has contents that Handlens never writes. Nothing was "
            "changed. Restore the backup of {day}.",
            **names,
            day=day_of(copies[0]).isoformat(),
        )
    else:
        message = msg(
            "The project file {file} in “{folder}” is damaged: it has contents that Handlens never writes. Nothing was "
            "changed. Put back a copy of the folder from a backup.",
            **names,
        )
    error = DamagedProjectError(
        message,
        details="\n".join(filter(None, (reason, found))),
        command=f'handlens restore "{path.parent}"' if copies else "",
    )
    error.backup = day_of(copies[0]).isoformat() if copies else ""
    return error


def _quick_check(path: Path) -> str:
    """Return what SQLite says is wrong with the file; empty where it is sound."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            found = "\n".join(str(row[0]) for row in connection.execute("PRAGMA quick_check(10)"))
    except sqlite3.Error as error:
        return str(error)
    return "" if found == "ok" else found


def _sentence(error_text: str, folder: Path) -> Message:
    if "full" in error_text or ("disk i/o" in error_text and disk_is_full(folder)):
        return FULL
    if "locked" in error_text or "busy" in error_text:
        return msg("Another program has been using the project for too long. Close it there and try again.")
    if "readonly" in error_text or "read-only" in error_text:
        return msg("The project is read-only. Copy it to a folder you may write to and open the copy.")
    if "unable to open" in error_text:
        return msg("The project's folder is missing. Put it back or plug in its drive, then open the project again.")
    return msg("The project could not be read or written. Nothing was changed. Try again or put back a copy.")


def _share_with_nobody(dbapi_connection: Any, _record: object) -> None:
    # Then the index is in memory. What stands beside the file stays there if it cannot be moved into it.
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA locking_mode = EXCLUSIVE")
    cursor.close()


def _configure(dbapi_connection: Any, _record: object) -> None:
    # The driver must not open transactions of its own: `_begin` does, see SQLAlchemy's notes on pysqlite.
    dbapi_connection.isolation_level = None
    try:
        dbapi_connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        dbapi_connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        cursor.execute("PRAGMA trusted_schema = OFF")  # a stranger may have made the file
        cursor.execute("PRAGMA cell_size_check = ON")
        cursor.close()
    except sqlite3.Error:
        dbapi_connection.close()  # SQLAlchemy forgets connections that fail here
        raise


def _begin(connection: sa.Connection) -> None:
    # A writer takes its place in the queue at once; upgrading a reader could fail half-way through.
    write = connection.get_execution_options().get("handlens_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
