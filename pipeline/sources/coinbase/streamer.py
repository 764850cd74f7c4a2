"""What Coinbase Exchange's websocket speaks: the channels `ticker`, and `heartbeat`, which shows that it is alive.

https://docs.cdp.coinbase.com/exchange/websocket-feed/channels: each price is whole, so that a gap in `sequence` loses
nothing that counts. What is of the last 24 hours (`open_24h`, `volume_24h`) is not of the day, and not used.
"""

import logging
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pipeline.clock import Clock
from pipeline.model.messages import AnyMessage
from pipeline.model.text import clean
from pipeline.net.errors import StreamRefusedError
from pipeline.sources.coinbase.replies import NAME, TITLE
from pipeline.sources.crypto.exchange import NotTradedError
from pipeline.sources.crypto.frames import PreviousClose, Refused, frame, quote, unfit
from pipeline.sources.outside import text_or_none

log = logging.getLogger(__name__)

CHANNELS: Final = ("ticker", "heartbeat")
MOST_FRAMES: Final = 50
"""Frames in which all pairs are asked for: 100 a second are allowed."""
_NO_PRODUCT: Final = re.compile(r"(\S{1,32}) is not a valid product")


class _Frame(msgspec.Struct):
    """As much as is used of all kinds."""

    type: str
    product_id: str = ""
    price: Any = None
    time: Any = None
    message: Any = None
    reason: Any = None


_FRAME: Final = msgspec.json.Decoder(_Frame)


class CoinbaseStreamer:
    """See `StreamProtocol`. Symbols are tickers."""

    def __init__(self, clock: Clock, previous_close: PreviousClose, refused: Refused) -> None:
        self._clock = clock
        self._previous_close = previous_close
        self._refused = refused

    def opening(self) -> Sequence[str]:
        """Nothing is said first."""
        return ()

    def subscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        """A frame for each, as far as the rate allows, for one that it does not know spoils its whole frame."""
        size = -(-len(symbols) // MOST_FRAMES)
        parts = [symbols[at : at + size] for at in range(0, len(symbols), size)]
        return [frame(type="subscribe", product_ids=list(part), channels=CHANNELS) for part in parts]

    def unsubscribe(self, symbols: Sequence[str]) -> Sequence[str]:
        return [frame(type="unsubscribe", product_ids=list(symbols), channels=CHANNELS)]

    def received(self, frame: str | bytes) -> Sequence[AnyMessage]:
        """See `StreamProtocol`. Kinds that are not known are left out, as the exchange asks."""
        try:
            said = _FRAME.decode(frame)
            if said.type == "ticker":
                time = text_or_none(said.time)
                return [quote(NAME, said.product_id, said.price, time, self._clock.now(), self._previous_close)]
        except (ValueError, OverflowError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
            return [unfit(NAME, frame, str(error), self._clock)]
        if said.type == "error":
            self._heed(said)
        return ()

    def _heed(self, said: _Frame) -> None:
        """Of an error: whom it concerns.

        Raises:
            StreamRefusedError: if it is not one pair alone.
        """
        why = clean(": ".join(filter(None, map(text_or_none, (said.message, said.reason)))), 200)
        if match := _NO_PRODUCT.search(why):
            self._refused(match[1], str(NotTradedError(TITLE, match[1])))
        elif why.startswith("Failed to unsubscribe"):
            log.warning("%s: %s", TITLE, why)  # what still comes is dropped
        else:
            raise StreamRefusedError(f"the provider refuses ({why or 'without a reason'})", permanent=False)
