"""A reply as received: data or a notice, and its rows with those that do not fit."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from pipeline.model.messages import DeadLetter, Message
from pipeline.model.redaction import redact
from pipeline.model.text import clean
from pipeline.sources.alpha_vantage.errors import UnknownSymbolError, UnreadableReplyError
from pipeline.sources.alpha_vantage.notices import Notice, meaning_of

SOURCE: Final = "alpha_vantage"
_PAYLOAD_LIMIT: Final = 2048
_REASON_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class ParsedReply[Row]:
    """The result of a request: the rows, oldest first, and a dead letter for each that did not fit.

    The same unfit row gives a dead letter of the same topic and offset at every request: publish it once. `items` is
    their number as they came, with those that were left out.
    """

    rows: list[Row]
    misfits: list[DeadLetter]
    items: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a reply and what it answers: the function, the ticker if it was about one, and when.

    `secret` is the API key, which a body may echo.
    """

    body: bytes
    function: str
    ticker: str | None
    now: datetime
    secret: str

    @property
    def revision(self) -> int:
        """That of what the reply says: when it was seen, in milliseconds since the epoch."""
        return int(self.now.timestamp() * 1000)

    def decode[Shape](self, shape: type[Shape]) -> Shape:
        """The body as `shape`.

        Raises:
            AlphaVantageError: what the body says instead, see `errors`.
            UnreadableReplyError: if it is neither of that shape nor a notice that is known.
        """
        notice = self._decode(Notice)
        error = meaning_of(notice, self.function, self.ticker)
        if error is not None:
            raise error
        if notice.text is not None:
            raise self.unreadable(f"a notice that is not known, {notice.text!r}", notice=True)
        if self.ticker is not None and self.body.translate(None, b" \t\r\n") == b"{}":
            raise UnknownSymbolError(self.ticker, self.function, empty=True)
        return self._decode(shape)

    def unreadable(self, reason: str, *, notice: bool = False) -> UnreadableReplyError:
        """The error for a body that is not what was promised."""
        misfit = self._misfit(self.body, reason)
        return UnreadableReplyError(self.function, misfit.reason, misfit, notice=notice)

    def rows[Row: Message](
        self, items: Iterable[tuple[str, msgspec.Raw]], parse: Callable[[str, bytes], Row | None]
    ) -> ParsedReply[Row]:
        """The items, each a label and JSON, as `parse` makes them rows.

        One for which it returns None is left out; one for which it raises ValueError is a misfit.
        """
        rows: list[Row] = []
        misfits: list[DeadLetter] = []
        count = 0
        for label, raw in items:
            count += 1
            try:
                row = parse(label, bytes(raw))
            except (ValueError, OverflowError, RecursionError) as error:
                misfits.append(self._misfit(f"{label} ".lstrip().encode() + bytes(raw), str(error)))
            else:
                if row is not None:
                    rows.append(row)
        rows.sort(key=lambda row: row.ts)
        return ParsedReply(rows, misfits, count)

    def _decode[Shape](self, shape: type[Shape]) -> Shape:
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors and bad UTF-8
            raise self.unreadable(str(error)) from error

    def _misfit(self, payload: bytes, reason: str) -> DeadLetter:
        digest = hashlib.blake2b(f"{self.ticker}|".encode() + payload, digest_size=6).digest()
        # Redacted before it is cut, so that no half of a key is left at the end.
        reason = f"{self.ticker}: {reason}" if self.ticker else reason
        text = redact(payload[: 2 * _PAYLOAD_LIMIT].decode("utf-8", "replace"), [self.secret])
        return DeadLetter(
            ts=self.now,
            topic=f"{SOURCE}:{self.function}",
            partition=0,
            offset=int.from_bytes(digest),
            reason=clean(redact(reason, [self.secret]), _REASON_LIMIT),  # it may quote the payload
            payload=text[:_PAYLOAD_LIMIT],
        )
