"""A handler that subscribes and publishes, by faststream."""

import asyncio
import os

from faststream import FastStream
from faststream.kafka import KafkaBroker
from motor.motor_asyncio import AsyncIOMotorClient

from bench.peers.window import BARS, Bar, row

broker = KafkaBroker(os.environ["KAFKA"])
app = FastStream(broker)
client: AsyncIOMotorClient[Bar] = AsyncIOMotorClient(os.environ["MONGODB_HOST"], int(os.environ["MONGODB_PORT"]))
database = client[os.environ["DATABASE"]]
window: list[Bar] = []


@broker.subscriber("stock_data_aapl", group_id="faststream", auto_offset_reset="earliest")
@broker.publisher("indicators_aapl")
async def handle(bar: Bar) -> Bar:
    await database.stock_data.insert_one(dict(bar))
    window.append(bar)
    del window[:-BARS]
    indicators = row(window)
    await database.indicators.insert_one(dict(indicators))
    return indicators


if __name__ == "__main__":
    asyncio.run(app.run())
