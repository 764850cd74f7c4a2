"""What a ticker is and where it trades."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.instruments import (
    _BY_SUFFIX,
    _OF_INDEX,
    CRYPTO,
    CURRENCIES,
    FUTURES,
    UNITED_STATES,
    asset_class,
    exchange_of,
    zone_of,
)

TICKERS = st.from_regex(r"\^?[A-Z0-9][A-Z0-9.\-=&_]{0,30}", fullmatch=True)
EXCHANGES = {*_BY_SUFFIX.values(), UNITED_STATES, CRYPTO, CURRENCIES, FUTURES}


@pytest.mark.parametrize(
    ("ticker", "kind", "code", "zone"),
    [
        ("AAPL", "us_share", "XNYS", "America/New_York"),
        ("F", "us_share", "XNYS", "America/New_York"),
        ("GOOGL", "us_share", "XNYS", "America/New_York"),
        ("BRK.B", "us_share", "XNYS", "America/New_York"),
        ("BRK-B", "us_share", "XNYS", "America/New_York"),
        ("BAC-PL", "us_share", "XNYS", "America/New_York"),
        ("VOD.L", "share", "XLON", "Europe/London"),
        ("TSCO.LON", "share", "XLON", "Europe/London"),
        ("BT-A.L", "share", "XLON", "Europe/London"),
        ("7203.T", "share", "XTKS", "Asia/Tokyo"),
        ("0700.HK", "share", "XHKG", "Asia/Hong_Kong"),
        ("SAP.DE", "share", "XETR", "Europe/Berlin"),
        ("M&M.NS", "share", "XNSE", "Asia/Kolkata"),
        ("BBD-B.TO", "share", "XTSE", "America/Toronto"),
        ("NOVO-B.CO", "share", "XCSE", "Europe/Copenhagen"),
        ("000001.SZ", "share", "XSHE", "Asia/Shanghai"),
        ("SPXW240119C04750000", "share", "XNYS", "America/New_York"),
        ("ABC.ZZ", "share", "XNYS", "America/New_York"),
        ("^GSPC", "index", "XNYS", "America/New_York"),
        ("^FTSE", "index", "XLON", "Europe/London"),
        ("^N225", "index", "XTKS", "Asia/Tokyo"),
        ("^TA125.TA", "index", "XTAE", "Asia/Jerusalem"),
        ("EURUSD=X", "currency", "currency", "Europe/London"),
        ("JPY=X", "currency", "currency", "Europe/London"),
        ("GC=F", "future", "CMES", "America/New_York"),
        ("ESZ26.CME", "future", "CMES", "America/New_York"),
        ("0P0000XTS7", "fund", "XNYS", "America/New_York"),
        ("0P000071W8.TO", "fund", "XTSE", "America/Toronto"),
        ("VFINX", "fund", "XNYS", "America/New_York"),
        ("NFLX", "us_share", "XNYS", "America/New_York"),
        ("BTC-USD", "crypto", "crypto", "UTC"),
        ("ETH-EUR", "crypto", "crypto", "UTC"),
        ("UNI7083-USD", "crypto", "crypto", "UTC"),
        ("ETH-BTC", "crypto", "crypto", "UTC"),
    ],
)
def test_a_symbol_tells_what_it_names_and_where_it_trades(ticker: str, kind: str, code: str, zone: str) -> None:
    assert asset_class(ticker) == kind
    assert exchange_of(ticker).code == code
    assert exchange_of(ticker).zone == zone


@given(TICKERS)
def test_every_symbol_has_a_class_and_an_exchange(ticker: str) -> None:
    assert exchange_of(ticker) in EXCHANGES
    assert asset_class(ticker) != "us_share" or exchange_of(ticker) is UNITED_STATES


def test_the_zone_that_is_set_is_that_of_what_names_no_exchange() -> None:
    default = ZoneInfo("America/Chicago")
    assert zone_of("AAPL", default) is default
    assert zone_of("^GSPC", default) is default
    assert zone_of("VOD.L", default) == ZoneInfo("Europe/London")
    assert zone_of("BTC-USD", default) == ZoneInfo("UTC")


def test_indices_are_of_exchanges_that_are_known() -> None:
    assert {*_OF_INDEX.values()} <= {*_BY_SUFFIX}
