"""The sentiment processor scores every article and post."""

from collections.abc import Sequence

from pipeline.bus.base import Bus, Received
from pipeline.messages import Article, Post
from pipeline.records import decode_all, records_of
from pipeline.sentiment import SentimentScorer
from pipeline.stages.consume import Subscription, consume
from pipeline.supervisor import Context
from pipeline.topics import NEWS, SENTIMENT_GROUP, SOCIAL
from pipeline.watchlist import Watchlist


class SentimentProcessor:
    """From `news_*` and `social_*` to `sentiment_*`. Stateless: the same item always scores the same."""

    def __init__(self, bus: Bus, watchlist: Watchlist, scorer: SentimentScorer) -> None:
        self._bus = bus
        self._watchlist = watchlist
        self._scorer = scorer

    async def run(self, context: Context) -> None:
        subscription = Subscription(self._bus, self._watchlist, {NEWS, SOCIAL})
        await consume(self._bus, SENTIMENT_GROUP, subscription, self._handle, context)

    async def _handle(self, batch: Sequence[Received]) -> None:
        decoded, _ = decode_all(batch)  # the sink buries what does not decode
        scored = [self._scorer.score_item(item) for _, item in decoded if isinstance(item, Article | Post)]
        await self._bus.publish(records_of(scored))
