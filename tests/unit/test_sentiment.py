"""Scores of texts, articles and posts, and their mean over time."""

import csv
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import Article, Post
from pipeline.sentiment import SentimentScorer, label_of, rolling_score
from tests.data import RECORDED, require

NOW = datetime(2026, 3, 4, 15, tzinfo=UTC)
SCORER = SentimentScorer()

GOOD, BAD, PLAIN = "What a great and happy day", "A horrible, terrible loss", "The meeting is on Tuesday"


def article(title: str, summary: str = "") -> Article:
    return Article(ticker="AAPL", ts=NOW, id="1", title=title, summary=summary, url="https://x/1", source="wire")


def post(text: str, **fields: object) -> Post:
    return Post(ticker="AAPL", ts=NOW, id="2", text=text, source="chat", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "label"), [(GOOD, "positive"), (BAD, "negative"), (PLAIN, "neutral"), ("", "neutral")]
)
def test_plain_words(text: str, label: str) -> None:
    compound, found = SCORER.score(text)
    assert found == label
    assert (compound > 0) == (label == "positive")
    assert (compound < 0) == (label == "negative")


@pytest.mark.parametrize(
    ("compound", "label"),
    [(0.05, "positive"), (0.0499, "neutral"), (0, "neutral"), (-0.0499, "neutral"), (-0.05, "negative")],
)
def test_the_thresholds_are_vaders(compound: float, label: str) -> None:
    assert label_of(compound) == label


def test_an_article_is_the_mean_of_title_and_summary() -> None:
    title, summary = SCORER.score(GOOD)[0], SCORER.score(BAD)[0]
    assert SCORER.score_item(article(GOOD)).compound == title
    assert SCORER.score_item(article(GOOD, BAD)).compound == pytest.approx((title + summary) / 2)


@pytest.mark.parametrize(
    ("text", "tag", "low", "high", "label"),
    [
        (BAD, "bullish", 0.5, 0.5, "positive"),
        (PLAIN, "bullish", 0.5, 0.5, "positive"),
        (GOOD, "bullish", 0.5, 1, "positive"),
        (GOOD, "bearish", -0.5, -0.5, "negative"),
        (BAD, "bearish", -1, -0.5, "negative"),
    ],
)
def test_a_tag_outranks_the_words(text: str, tag: str, low: float, high: float, label: str) -> None:
    item = SCORER.score_item(post(text, tag=tag))
    assert low <= item.compound <= high
    assert item.label == label


def test_a_tag_does_not_weaken_strong_words() -> None:
    assert SCORER.score_item(post(GOOD, tag="bullish")).compound == SCORER.score(GOOD)[0] > 0.5


def test_an_item_keeps_what_identifies_it() -> None:
    scored = SCORER.score_item(article(GOOD, PLAIN))
    assert (scored.kind, scored.id, scored.source, scored.url, scored.text) == (
        "article",
        "1",
        "wire",
        "https://x/1",
        GOOD,
    )
    assert (scored.ticker, scored.ts, scored.simulated) == ("AAPL", NOW, False)
    scored = SCORER.score_item(post(BAD, simulated=True))
    assert (scored.kind, scored.id, scored.source, scored.text, scored.simulated) == ("post", "2", "chat", BAD, True)


@pytest.mark.parametrize("unit", ["😀", "😀 ", "but good ", "kind of bad! ", "never so good ", "x"])
def test_a_hostile_text_costs_little(unit: str) -> None:
    SCORER.score("loads the lexicon")
    text = (unit * 4096)[:4096]
    started = time.process_time()
    SCORER.score(text)
    assert time.process_time() - started < 0.25  # unbounded, that of the emoji took over five seconds


def test_the_beginning_of_a_long_text_decides() -> None:
    assert SCORER.score(f"{GOOD}. " + "tick " * 2000 + BAD) == SCORER.score(f"{GOOD}. " + "tick " * 2000)
    assert SCORER.score("😀" * 16 + BAD) != SCORER.score("😀" * 16)
    assert SCORER.score("😀" * 17 + BAD) == SCORER.score("😀" * 16)


COMPOUNDS = st.floats(-1, 1)
AGES = st.timedeltas(timedelta(0), timedelta(days=2, hours=23))
ITEMS = st.lists(st.tuples(AGES.map(lambda age: NOW - age), COMPOUNDS), min_size=1, max_size=20)


def test_an_item_six_hours_older_weighs_half() -> None:
    items = [(NOW, 0.9), (NOW - timedelta(hours=6), -0.3)]
    assert rolling_score(items, NOW) == pytest.approx((0.9 + 0.5 * -0.3) / 1.5)


def test_what_is_older_than_three_days_is_forgotten() -> None:
    assert rolling_score([], NOW) is None
    assert rolling_score([(NOW - timedelta(days=3, seconds=1), 0.9)], NOW) is None
    assert rolling_score([(NOW - timedelta(days=3), 0.9)], NOW) == pytest.approx(0.9)


def test_an_item_of_the_future_counts_as_new() -> None:
    items = [(NOW + timedelta(days=400), 0.6), (NOW, 0.2)]
    assert rolling_score(items, NOW) == pytest.approx(0.4)


@given(ITEMS, st.randoms(use_true_random=False))
def test_the_order_of_the_items_makes_no_difference(items: list[tuple[datetime, float]], random) -> None:
    shuffled = items.copy()
    random.shuffle(shuffled)
    assert rolling_score(shuffled, NOW) == rolling_score(items, NOW)


@given(ITEMS)
def test_the_score_lies_between_the_extremes(items: list[tuple[datetime, float]]) -> None:
    score = rolling_score(iter(items), NOW)
    assert score is not None
    compounds = [compound for _, compound in items]
    assert min(compounds) - 1e-12 <= score <= max(compounds) + 1e-12


def test_recorded_headlines_are_scored_better_than_by_chance() -> None:
    path = require(RECORDED / "sentiment" / "SEntFiN.csv")
    right = scored = 0
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            opposite = {"positive": "negative", "negative": "positive"}
            named = {label for label in ("positive", "negative", "neutral") if f"'{label}'" in row["Decisions"]}
            _, label = SCORER.score(row["Title"])
            if len(named) == 1 and label in opposite and (truth := named.pop()) in opposite:
                scored += 1
                right += label == truth
    assert scored > 2000
    assert right / scored > 0.7
