"""Topic ownership: each ticker is published by one process at a time."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Final

from pipeline.aio import first_of
from pipeline.bus.base import Bus
from pipeline.model.topics import ECONOMIC, PRODUCER_GROUP, STOCK_DATA, topic_for
from pipeline.model.watchlist import Watchlist
from pipeline.supervision.supervisor import Context

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 5.0


class TopicOwnership:
    """Claims the watched tickers, and the economic series if `economic`, among all processes that produce.

    `tickers` are those held, as a watchlist for feeds to follow; `economic` has an entry while the economic series are
    held. To hold `stock_data_<ticker>` is to publish everything of the ticker.
    """

    def __init__(
        self,
        bus: Bus,
        watchlist: Watchlist,
        *,
        economic: bool,
        on_tickers: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        """`on_tickers` hears of tickers that are held from now on."""
        self._bus = bus
        self._watchlist = watchlist
        self._general = {ECONOMIC} if economic else set()
        self._on_tickers = on_tickers
        self._settled_at: int | None = None
        self.tickers = Watchlist()
        self.economic = Watchlist()

    @property
    def settled(self) -> bool:
        """Whether it is known what is held of the watchlist as it is now."""
        return self._settled_at == self._watchlist.version

    async def run(self, context: Context) -> None:
        """Claim what is watched until asked to stop; after a failure nothing is held until claiming works again."""
        claims = self._bus.claims(PRODUCER_GROUP)
        try:
            context.ready()
            while not context.stopping.is_set():
                version = self._watchlist.version
                self.tickers.become(ticker for ticker in self._watchlist if ticker in self.tickers)
                await claims.claim(self._general | {topic_for(STOCK_DATA, ticker) for ticker in self._watchlist})
                polling = asyncio.ensure_future(claims.poll(POLL_SECONDS))
                await first_of(polling, self._watchlist.changed_since(version), context.stopping.wait())
                held = None if polling.cancelled() else polling.result()
                if held is not None and version == self._watchlist.version:
                    self._hold(held)
                    self._settled_at = version
        finally:
            self._settled_at = None
            self.tickers.become([])
            self.economic.become([])
            await claims.close()

    def _hold(self, topics: Collection[str]) -> None:
        before = self.tickers.tickers
        self.economic.become(self._general.intersection(topics))
        self.tickers.become(ticker for ticker in self._watchlist if topic_for(STOCK_DATA, ticker) in topics)
        if self.tickers.tickers != before:
            others = [ticker for ticker in self._watchlist if ticker not in self.tickers]
            elsewhere = f"; not here: {', '.join(others)}" if others else ""
            log.info("published here: %s%s", ", ".join(self.tickers) or "nothing", elsewhere)
        self._on_tickers([ticker for ticker in self.tickers if ticker not in before])
