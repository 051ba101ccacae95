"""Manifest of a cohort: its scans and their outcomes, in an SQLite file that survives a kill."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import BadInputError
from ..json_text import json_text
from .scan_list import Scan, fingerprint

FILE = "cohort.sqlite"
PENDING, DONE, FAILED = "pending", "done", "failed"
"""States of a scan. A failed one is set aside and not repeated unless the user asks for it."""
_TABLES = """
CREATE TABLE IF NOT EXISTS cohort (description TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS scans (
    name TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,
    path TEXT NOT NULL UNIQUE,
    is_dicom INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    outcome TEXT,
    fingerprint TEXT
);
"""


class CohortManifest:
    """Scans of a cohort with their states. Only one process can have it open.

    Raises
    ------
    BadInputError
        If another process has it open, the file is not a manifest, or the cohort was begun with
        another description (model, settings, version).
    """

    def __init__(self, folder: Path, description: dict):
        self._folder = folder
        self._database = _opened(folder / FILE)
        try:
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.executescript(_TABLES)
            self._add_fingerprints()
            self._compare(description)
        except sqlite3.OperationalError as error:
            self.close()
            raise _unusable(folder / FILE, error) from error
        except sqlite3.DatabaseError as error:
            self.close()
            raise BadInputError(
                f"{folder / FILE} is not the manifest of a cohort: choose another folder."
            ) from error
        except BadInputError:
            self.close()
            raise

    def _add_fingerprints(self) -> None:
        """Add the column that manifests of earlier versions lack."""
        columns = self._database.execute("PRAGMA table_info(scans)").fetchall()
        if "fingerprint" not in [name for _, name, *_ in columns]:
            self._database.execute("ALTER TABLE scans ADD COLUMN fingerprint TEXT")

    def _compare(self, description: dict) -> None:
        """Store the description of a new cohort, or compare it with that of an older one."""
        self._database.execute("BEGIN IMMEDIATE")  # takes the lock, also if nothing is written
        row = self._database.execute("SELECT description FROM cohort").fetchone()
        if row is None:
            self._database.execute("INSERT INTO cohort VALUES (?)", [json_text(description)])
        self._database.execute("COMMIT")
        older = description if row is None else json.loads(row[0])
        both = {key: (older.get(key), description.get(key)) for key in older | description}
        other = [f"{key} {was}, not {now}" for key, (was, now) in both.items() if was != now]
        if other:
            changes = ", ".join(other)
            raise BadInputError(
                f"The cohort in {self._folder} was begun with {changes}: choose another folder, or "
                "repeat the command that began it."
            )

    def add(self, scans: Iterable[Scan]) -> None:
        """Add new scans under names that are unique; scans that are known stay as they are."""
        self._database.execute("BEGIN")
        for scan in scans:
            path = _stored(scan.path)
            if self._one("SELECT 1 FROM scans WHERE path = ?", path):
                continue
            name, number = scan.name, 1
            while self._one("SELECT 1 FROM scans WHERE name = ?", name):
                number += 1
                name = f"{scan.name}_{number}"
            values = (name, path, scan.is_dicom, fingerprint(scan))
            self._database.execute(
                "INSERT INTO scans (name, path, is_dicom, fingerprint) VALUES (?, ?, ?, ?)", values
            )
        self._database.execute("COMMIT")

    def scans(self) -> Iterator[tuple[Scan, str, str | None]]:
        """Yield all scans under their unique names, with their states and fingerprints."""
        query = "SELECT name, path, is_dicom, state, fingerprint FROM scans ORDER BY rowid"
        for *scan, state, known in self._database.execute(query).fetchall():
            yield _scan(*scan), state, known

    def pending(self) -> Iterator[Scan]:
        """Yield the scans that have no outcome yet, under their unique names."""
        yield from (scan for scan, state, _ in self.scans() if state == PENDING)

    def record(self, name: str, outcome: dict, *, failed: bool) -> None:
        """Store the outcome of a scan, values for JSON."""
        self._database.execute(
            "UPDATE scans SET state = ?, outcome = ? WHERE name = ?",
            [FAILED if failed else DONE, json_text(outcome), name],
        )

    def set_fingerprint(self, name: str, known: str) -> None:
        """Store the :func:`.fingerprint` of a scan."""
        self._database.execute("UPDATE scans SET fingerprint = ? WHERE name = ?", [known, name])

    def repeat(self, name: str, known: str | None) -> None:
        """Make a scan pending again, and store its :func:`.fingerprint`."""
        self._database.execute(
            "UPDATE scans SET state = ?, outcome = NULL, fingerprint = ? WHERE name = ?",
            [PENDING, known, name],
        )

    def retry_failed(self) -> None:
        """Make the failed scans pending again."""
        self._database.execute(
            "UPDATE scans SET state = ?, outcome = NULL WHERE state = ?", [PENDING, FAILED]
        )

    def counts(self) -> dict[str, int]:
        """Return the number of scans in each state."""
        query = "SELECT state, count(*) FROM scans GROUP BY state"
        return dict.fromkeys((PENDING, DONE, FAILED), 0) | dict(self._database.execute(query))

    def outcomes(self) -> Iterator[dict]:
        """Yield the outcome of each scan that has one, with its name and path as ``input``."""
        query = "SELECT name, path, outcome FROM scans WHERE outcome IS NOT NULL ORDER BY rowid"
        for name, path, outcome in self._database.execute(query):
            yield {"name": name, "input": os.fsdecode(path), **json.loads(outcome)}

    def close(self) -> None:
        self._database.close()

    def _one(self, query: str, value: str | bytes) -> tuple | None:
        return self._database.execute(query, [value]).fetchone()


def _opened(path: Path) -> sqlite3.Connection:
    try:
        # Each statement is a transaction, so that a killed process loses no outcome.
        return sqlite3.connect(path, isolation_level=None, timeout=0)
    except sqlite3.OperationalError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: sqlite3.OperationalError) -> BadInputError:
    return BadInputError(
        f"{path} cannot be used ({error}). If another run works on this cohort, wait for its end. "
        "Otherwise check that you can write to the folder."
    )


def _scan(name: str, path: str | bytes, is_dicom: int) -> Scan:
    return Scan(name, Path(os.fsdecode(path)), bool(is_dicom))


def _stored(path: Path) -> str | bytes:
    """Return a path as SQLite stores it: as text, or as bytes if it is not UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return str(path)
