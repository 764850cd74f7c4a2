"""Alpha Vantage's recorded replies from a server on this machine, and the product set up to ask it."""

from pathlib import Path
from typing import get_args

from pipeline.sources.alpha_vantage.client import EconomicSeries
from testkit.forked import ForkedProduct
from testkit.http_server import HttpServer, answer
from testkit.product import Product
from tests.sources.alpha_vantage import replies as data

SERIES: tuple[str, ...] = get_args(EconomicSeries)
CONFIG = """
[pipeline]
source = "alpha_vantage"

[logging]
level = "debug"

[alpha_vantage]
plan = "premium"
base_url = "{url}"

[stocktwits]
enabled = false
"""


def replay_recordings(server: HttpServer) -> None:
    """Whatever ticker is asked for, answer what was recorded of IBM (bars, quote) and AAPL (news).

    The pipeline asks for bars of one minute, and those of a whole plan were recorded with five: they bear that name.
    """
    minutes = data.series("1min", data.rows_of("alpha_vantage/TIME_SERIES_INTRADAY.csv"), "6. Time Zone")
    server.on(answer(data.daily()), function="TIME_SERIES_DAILY")
    server.on(answer(minutes), function="TIME_SERIES_INTRADAY")
    server.on(answer(data.global_quote()), function="GLOBAL_QUOTE")
    server.on(answer(data.recorded("REALTIME_BULK_QUOTES.json")), function="REALTIME_BULK_QUOTES")
    server.on(answer(data.recorded("NEWS_SENTIMENT.json")), function="NEWS_SENTIMENT")
    for name in SERIES:
        server.on(answer(data.economic(name)), function=name)


def product_at(server: HttpServer, directory: Path, kind: type[Product] = ForkedProduct, **variables: str) -> Product:
    """The product on live data of the server."""
    (directory / "config.toml").write_text(CONFIG.format(url=server.url))
    return kind(directory, **({"ALPHA_VANTAGE_API_KEY": data.KEY} | variables))
