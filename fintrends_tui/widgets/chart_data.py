"""What a chart asks the pipeline for."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fintrends_tui.charting.composing import ChartData
from fintrends_tui.charting.look import SENTIMENT, Look
from pipeline.contract.protocol import Command, GetHistory, GetSeries, History, ValueSeries

_ECONOMIC: Final = "economic:"


async def fetch(ask: Callable[[Command], Awaitable[Any]], wanted: GetHistory, look: Look) -> ChartData:
    """The bars, and what the look shows besides.

    Raises:
        LinkError: if the pipeline does not answer, or refuses.
    """
    history: History = await ask(wanted)
    since = history.bars[0].ts if history.bars else wanted.since
    other: History | None = None
    series: ValueSeries | None = None
    if look.beside.startswith(_ECONOMIC):
        series = await ask(GetSeries("economic", look.beside.removeprefix(_ECONOMIC)))
    elif look.beside == SENTIMENT or (not look.beside and SENTIMENT in look.studies):
        series = await ask(GetSeries("sentiment", wanted.ticker, since))
    elif look.beside:
        other = await ask(
            GetHistory(look.beside, None, wanted.last, wanted.until, [], wanted.extended, since, wanted.longest)
        )
    return ChartData(history, other, series)
