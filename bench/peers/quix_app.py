"""A streaming dataframe with the window in its state and two MongoDB sinks, by quixstreams."""

import os

from quixstreams import Application, State
from quixstreams.sinks.base.item import SinkItem
from quixstreams.sinks.community.mongodb import MongoDBSink

from bench.peers.window import BARS, Bar, row


def indicators(bar: Bar, state: State) -> Bar:
    window = [*state.get("window", []), bar][-BARS:]
    state.set("window", window)
    return row(window)


def by_time(item: SinkItem) -> Bar:
    return {"_id": item.value["ts"]}


def sink(collection: str) -> MongoDBSink:
    return MongoDBSink(
        host=os.environ["MONGODB_HOST"],
        port=int(os.environ["MONGODB_PORT"]),
        db=os.environ["DATABASE"],
        collection=collection,
        document_matcher=by_time,
    )


app = Application(broker_address=os.environ["KAFKA"], consumer_group="quix", auto_offset_reset="earliest")
bars = app.dataframe(app.topic("stock_data_aapl", value_deserializer="json"))
bars.sink(sink("stock_data"))
rows = bars.apply(indicators, stateful=True)
rows = rows.to_topic(app.topic("indicators_aapl", value_serializer="json"))
rows.sink(sink("indicators"))

if __name__ == "__main__":
    app.run()
