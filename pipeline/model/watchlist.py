"""The tickers being watched: one mutable object that producers, consumers and the view share."""

import asyncio
from collections.abc import Iterable, Iterator


class Watchlist:
    """An ordered set of tickers whose changes can be awaited. `focus` is the one that a screen looked at last."""

    def __init__(self, tickers: Iterable[str] = ()) -> None:
        self.focus: str | None = None
        self._tickers = dict.fromkeys(tickers)
        self._version = 0
        self._changed = asyncio.Event()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tickers)

    def __contains__(self, ticker: object) -> bool:
        return ticker in self._tickers

    def __len__(self) -> int:
        return len(self._tickers)

    @property
    def tickers(self) -> tuple[str, ...]:
        return tuple(self._tickers)

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._version

    def add(self, tickers: Iterable[str]) -> list[str]:
        """Add those that are new, and return them."""
        new = [t for t in dict.fromkeys(tickers) if t not in self._tickers]
        self._tickers.update(dict.fromkeys(new))
        if new:
            self._notify()
        return new

    def remove(self, tickers: Iterable[str]) -> list[str]:
        """Remove those that are there, and return them."""
        gone = [t for t in dict.fromkeys(tickers) if t in self._tickers]
        for ticker in gone:
            del self._tickers[ticker]
        if gone:
            self._notify()
        return gone

    def become(self, tickers: Iterable[str]) -> None:
        """Be these, in this order."""
        new = dict.fromkeys(tickers)
        if list(new) != list(self._tickers):
            self._tickers = new
            self._notify()

    async def changed_since(self, version: int) -> int:
        """Wait until the version is another than `version`; return it."""
        while self._version == version:
            await self._changed.wait()
        return self._version

    def _notify(self) -> None:
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()
