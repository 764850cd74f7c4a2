"""The sentiment processor scores every article and post."""

from collections.abc import Sequence

from pipeline.analytics.sentiment import SentimentScorer
from pipeline.bus.base import Bus, Received
from pipeline.bus.records import decode_all, of_origin
from pipeline.model.messages import Article, Post
from pipeline.model.topics import NEWS, SENTIMENT_GROUP, SOCIAL
from pipeline.model.watchlist import Watchlist
from pipeline.stages.consume import Subscription, consume
from pipeline.stages.publish import publish
from pipeline.supervision.supervisor import Context


class SentimentProcessor:
    """From `news_*` and `social_*` to `sentiment_*`. Stateless: the same item always scores the same."""

    def __init__(self, bus: Bus, watchlist: Watchlist, scorer: SentimentScorer, *, simulated: bool = False) -> None:
        """`simulated` says of which origin all it scores is."""
        self._simulated = simulated
        self._bus = bus
        self._watchlist = watchlist
        self._scorer = scorer

    async def run(self, context: Context) -> None:
        subscription = Subscription(self._bus, self._watchlist, {NEWS, SOCIAL})
        await consume(self._bus, SENTIMENT_GROUP, subscription, self._handle, context)

    async def _handle(self, batch: Sequence[Received]) -> None:
        # The sink sends what does not decode to `dead_letter`, and counts the records of the other origin.
        decoded, _ = decode_all(batch)
        decoded = of_origin(decoded, simulated=self._simulated)
        scored = [self._scorer.score_item(item) for _, item in decoded if isinstance(item, Article | Post)]
        await publish(self._bus, scored)
