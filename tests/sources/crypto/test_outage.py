"""What an exchange that is away says in the log, however often it is tried again."""

from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.settings import Settings
from pipeline.config.sources import CoinbaseSettings, KrakenSettings
from pipeline.model.watchlist import Watchlist
from pipeline.net.circuit_breaker import PAUSE
from pipeline.net.errors import HttpError
from pipeline.sources import coinbase, kraken
from pipeline.sources.base import Factory, SourceContext
from testkit.fakes import FakeClock
from testkit.http_server import HttpServer, reset
from tests.sources.crypto.exchanges import ONCE


@pytest.mark.parametrize(
    ("create", "settings", "lines"),
    [(coinbase.create, {"coinbase": CoinbaseSettings}, 2), (kraken.create, {"kraken": KrakenSettings}, 1)],
    ids=["coinbase", "kraken"],
)
async def test_each_trouble_is_one_line(
    create: Factory,
    settings: dict[str, Any],
    lines: int,
    tmp_path: Path,
    server: HttpServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.on(reset)
    clock = FakeClock()
    made = {name: kind(base_url=server.url, stream_url="") for name, kind in settings.items()}
    context = SourceContext(Settings(**made), tmp_path, clock, tmp_path, ONCE)
    (feed,) = create(context).feeds()
    for _ in range(12):  # beyond the failures after which it is left alone, and the pause between looks at the pairs
        with pytest.raises(HttpError):
            async with aclosing(feed.stream(Watchlist(["BTC-USD"]))) as batches:
                await anext(batches)
        clock.jump(PAUSE)
    await context.close()
    assert len(caplog.records) == lines, caplog.text
