"""One message at a time: consume, insert, compute, publish, insert."""

import asyncio
import json
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from motor.motor_asyncio import AsyncIOMotorClient

from bench.peers.window import BARS, Bar, row


async def main() -> None:
    consumer = AIOKafkaConsumer(
        "stock_data_aapl", bootstrap_servers=os.environ["KAFKA"], group_id="naive", auto_offset_reset="earliest"
    )
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["KAFKA"])
    client: AsyncIOMotorClient[Bar] = AsyncIOMotorClient(os.environ["MONGODB_HOST"], int(os.environ["MONGODB_PORT"]))
    database = client[os.environ["DATABASE"]]
    window: list[Bar] = []
    async with consumer, producer:
        async for message in consumer:
            bar = json.loads(message.value)
            await database.stock_data.insert_one(dict(bar))
            window = [*window, bar][-BARS:]
            indicators = row(window)
            await producer.send_and_wait("indicators_aapl", json.dumps(indicators).encode())
            await database.indicators.insert_one(indicators)


asyncio.run(main())
