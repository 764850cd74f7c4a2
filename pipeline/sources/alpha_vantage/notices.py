"""Tells apart the notices that Alpha Vantage sends instead of data."""

import msgspec

from pipeline.sources.alpha_vantage.errors import (
    AlphaVantageError,
    BadKeyError,
    BadRequestError,
    BurstLimitError,
    DailyLimitError,
    DemoKeyError,
    FullOutputNotInPlanError,
    NoArticlesError,
    NotInPlanError,
    UnknownSymbolError,
)


class Notice(msgspec.Struct, frozen=True):
    """The keys that any reply may have. `message` is that of bulk quotes, beside sample data that is made up."""

    error: str | None = msgspec.field(name="Error Message", default=None)
    information: str | None = msgspec.field(name="Information", default=None)
    note: str | None = msgspec.field(name="Note", default=None)
    message: str | None = None

    @property
    def text(self) -> str | None:
        return self.error or self.information or self.note


def meaning_of(notice: Notice, function: str, ticker: str | None) -> AlphaVantageError | None:
    """The error that the notice stands for; None if it is none that is known."""
    text = (notice.text or "").lower()
    sample = (notice.message or "").lower()
    # The notice of the burst limit names the daily one too, and premium endpoints, so it comes first.
    if "per second" in text or "per minute" in text:
        return BurstLimitError()
    if "per day" in text:
        return DailyLimitError()
    if "apikey is invalid or missing" in text:
        return BadKeyError()
    if "demo** api key" in text:
        return DemoKeyError()
    if "outputsize=full" in text:
        return FullOutputNotInPlanError(function)
    if "premium" in text or "premium" in sample or "artificial" in sample:
        return NotInPlanError(function)
    if "invalid api call" in text or "invalid inputs" in text:
        return UnknownSymbolError(ticker) if ticker else BadRequestError(function)
    if "does not exist" in text:
        return BadRequestError(function)
    if "no articles found" in text:
        return NoArticlesError(function)
    return None
