"""Answers from a file that are good for as long as nobody writes to it."""

import sqlite3
from collections.abc import Callable
from typing import Any

from pipeline.storage.sqlite import Database


class Unchanged:
    """The last answer to each question. The monitor asks about every topic once a second, and with a thousand tickers
    there are thousands; where nothing happens, the answer is the same."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._answers: dict[str, tuple[int, object, Any]] = {}
        """By what was asked: the version of the file, the details of the question, and the answer."""

    def forget(self) -> None:
        """To be called when the file is opened: another connection counts its versions in its own way."""
        self._answers.clear()

    async def read[T](self, what: str, details: object, job: Callable[[sqlite3.Connection], T]) -> T:
        """What the job reads, which follows from the file and the details; not to be changed by whoever gets it."""

        def look(connection: sqlite3.Connection) -> T:
            # It grows with every commit of another connection, and this one writes nothing.
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            known = self._answers.get(what)
            if known is None or known[:2] != (version, details):
                known = self._answers[what] = version, details, job(connection)
            answer: T = known[2]
            return answer

        return await self._database.read(look)
