"""A streaming dataframe a ticker, with a sink that writes a batch at every checkpoint, by quixstreams."""

from operator import attrgetter
from typing import Any

from quixstreams import Application
from quixstreams.models.serializers.json import JSONSerializer
from quixstreams.sinks import BaseSink

from bench.peers.job import BATCH, BROKER, TICKERS, Done, Job
from bench.peers.messages import encode

WAIT_SECONDS = 0.1
"""From checkpoint to checkpoint where there are few bars."""


class JobSink(BaseSink):  # type: ignore[misc]
    """Keeps what a checkpoint brings in one transaction."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job
        self._done: list[Done] = []

    def add(self, value: Done, *_: Any, **__: Any) -> None:
        self._done.append(value)

    def flush(self) -> None:
        done, self._done = self._done, []
        if done:
            self._job.keep(done)

    def on_paused(self) -> None:
        self._done.clear()


def main() -> None:
    job = Job()
    app = Application(
        BROKER,
        consumer_group="quix",
        auto_offset_reset="earliest",
        commit_every=BATCH,
        commit_interval=WAIT_SECONDS,
        producer_extra_config={"enable.idempotence": True, "compression.type": "lz4"},
        loglevel="WARNING",
    )
    sink = JobSink(job)
    as_json = JSONSerializer(dumps=encode)
    for ticker in TICKERS:
        bars = app.dataframe(app.topic(f"stock_data_{ticker.lower()}", value_deserializer="bytes"))
        done = bars.apply(job.process).filter(lambda found: found is not None)
        done.apply(attrgetter("row")).to_topic(app.topic(f"indicators_{ticker.lower()}", value_serializer=as_json))
        done.sink(sink)
    app.run()


if __name__ == "__main__":
    main()
