"""One message at a time: consume, insert, pandas-ta over the last bars, publish, insert."""

import asyncio
import json
import os
import sqlite3
from typing import Any

import pandas as pd
import pandas_ta as ta
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

WINDOW = 250


def row(bars: list[dict[str, Any]]) -> dict[str, Any]:
    """The indicators at the last bar; None where there are too few bars."""
    frame = pd.DataFrame(bars, columns=["high", "low", "close", "volume"])
    high, low, close, volume = (frame[name] for name in frame)
    studies = (
        ta.sma(close, 20),
        ta.sma(close, 50),
        ta.ema(close, 12),
        ta.ema(close, 26),
        ta.rsi(close, 14),
        ta.macd(close),
        ta.bbands(close, 20),
        ta.atr(high, low, close, 14),
        ta.obv(close, volume),
        ta.stoch(high, low, close),
        ta.adx(high, low, close),
    )
    found = pd.concat([study for study in studies if study is not None], axis=1).iloc[-1]
    values = {str(name): None if pd.isna(value) else float(value) for name, value in found.items()}
    return {"ts": bars[-1]["ts"], "close": bars[-1]["close"], **values}


async def main() -> None:
    topics = [f"stock_data_{ticker.lower()}" for ticker in os.environ["TICKERS"].split()]
    broker = os.environ["KAFKA"]
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=broker, group_id="naive", auto_offset_reset="earliest")
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    database = sqlite3.connect(os.environ["DATABASE"], autocommit=True)
    for table in ("bars", "indicators"):
        database.execute(f"CREATE TABLE {table} (ticker, ts, body)")
    windows: dict[str, list[dict[str, Any]]] = {}
    async with consumer, producer:
        async for message in consumer:
            bar = json.loads(message.value)
            ticker = bar["ticker"]
            database.execute("INSERT INTO bars VALUES (?, ?, ?)", (ticker, bar["ts"], message.value))
            windows[ticker] = [*windows.get(ticker, []), bar][-WINDOW:]
            body = json.dumps(row(windows[ticker]))
            await producer.send_and_wait(f"indicators_{ticker.lower()}", body.encode())
            database.execute("INSERT INTO indicators VALUES (?, ?, ?)", (ticker, bar["ts"], body))


if __name__ == "__main__":
    asyncio.run(main())
