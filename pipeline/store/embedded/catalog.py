"""The catalog of series and shapes: which number stands for which, as the thread that writes knows it."""

import sqlite3
from collections import defaultdict
from typing import Final

import msgspec

from pipeline.store.embedded.bodies import Shape

_Series = tuple[str, str | None, str | None, str | None, str | None]
"""Collection, prefix, ticker, interval and source."""

_TO_JSON: Final = msgspec.json.Encoder().encode


class Catalog:
    """Numbers that have been given to series and shapes, and gives new ones.

    To be asked within a transaction, and told when one begins (`begin`): what was given in one that failed is not
    there.
    """

    def __init__(self) -> None:
        self._last = (0, 0)
        self._series: dict[_Series, int] = {}
        self._prefixes: dict[tuple[str, str], int] = {}
        self._shapes: dict[str, int] = {}
        self.known: defaultdict[type, dict[object, tuple[int, int, bool]]] = defaultdict(dict)
        """For whoever asks: what it made of these numbers. It is emptied when they may not be there any longer."""

    def begin(self, connection: sqlite3.Connection) -> None:
        """Look whether all that is known is there: numbers are given by one writer, and never taken back otherwise."""
        found = connection.execute("SELECT (SELECT max(id) FROM series), (SELECT max(id) FROM shapes)").fetchone()
        last = (found[0] or 0, found[1] or 0)
        if last == self._last:
            return
        series = connection.execute("SELECT id, collection, prefix, ticker, interval, source FROM series").fetchall()
        self._series = {tuple(texts): id_ for id_, *texts in series}
        self._prefixes = {(name, prefix): id_ for id_, name, prefix, *_ in series if prefix is not None}
        self._shapes = {fields: id_ for id_, fields in connection.execute("SELECT id, fields FROM shapes")}
        self._last = last
        self.known.clear()

    def shape(self, connection: sqlite3.Connection, shape: Shape) -> int:
        fields = _TO_JSON(shape).decode()
        if fields not in self._shapes:
            connection.execute("INSERT INTO shapes (fields) VALUES (?)", (fields,))
            self._last = (self._last[0], self._last[1] + 1)
            self._shapes[fields] = self._last[1]
        return self._shapes[fields]

    def series(
        self,
        connection: sqlite3.Connection,
        collection: str,
        prefix: str | None,
        ticker: str | None,
        interval: str | None,
        source: str | None,
    ) -> int:
        """The number of the series.

        Raises:
            ValueError: if its keys are those of another one, or the texts have no UTF-8.
        """
        series = (collection, prefix, ticker, interval, source)
        if series not in self._series:
            if prefix is not None and (collection, prefix) in self._prefixes:
                raise ValueError(f"keys that begin with {prefix!r} are those of another series")
            connection.execute(
                "INSERT INTO series (collection, prefix, ticker, interval, source) VALUES (?, ?, ?, ?, ?)", series
            )
            self._last = (self._last[0] + 1, self._last[1])
            self._series[series] = self._last[0]
            if prefix is not None:
                self._prefixes[collection, prefix] = self._last[0]
        return self._series[series]

    def of_prefix(self, collection: str, prefix: str) -> int | None:
        return self._prefixes.get((collection, prefix))
