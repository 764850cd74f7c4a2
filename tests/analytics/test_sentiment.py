"""Scores of texts, articles and posts, and their mean over time."""

import hashlib
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.analytics.sentiment import SCORING, Opinion, SentimentScorer, label_of, rolling_score
from pipeline.analytics.stories import fingerprint
from pipeline.analytics.vader import Analyzer
from pipeline.analytics.wordlists import FOLDER, read_valences
from pipeline.model.messages import Article, ItemKind, Post
from testkit.data import RECORDED, require
from tests.analytics.error_kinds import ARTICLES, POSTS, Cases
from tools.lexicon.__main__ import made_from
from tools.lexicon.headlines import read_headlines

NOW = datetime(2026, 3, 4, 15, tzinfo=UTC)
SCORER = SentimentScorer()
SENTFIN = RECORDED / "sentiment" / "SEntFiN.csv"

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
    assert SCORER.score_item(post(GOOD, tag="bullish")).compound == SCORER.score(GOOD, "post")[0] > 0.5


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


@pytest.mark.parametrize("kind", ["article", "post"])
@pytest.mark.parametrize("unit", ["😀", "but good ", "never so good ", "x", "is it? ", "costs fall as ", "from 1m "])
def test_a_hostile_text_costs_little(unit: str, kind: ItemKind) -> None:
    SCORER.score("loads the lexicon", kind)
    text = (unit * 4096)[:4096]

    def cost() -> float:
        started = time.process_time()
        SCORER.score(text, kind)
        return time.process_time() - started

    # Unbounded, that of the emoji took over five seconds. Of three, for garbage may be collected in one.
    assert min(cost() for _ in range(3)) < 0.25


def test_the_beginning_of_a_long_text_decides() -> None:
    assert SCORER.score(f"{GOOD}. " + "tick " * 2000 + BAD) == SCORER.score(f"{GOOD}. " + "tick " * 2000)
    assert SCORER.score("😀" * 16 + BAD) != SCORER.score("😀" * 16)
    assert SCORER.score("😀" * 17 + BAD) == SCORER.score("😀" * 16)


COMPOUNDS = st.floats(-1, 1)
AGES = st.timedeltas(timedelta(0), timedelta(days=2, hours=23))
MARKS = st.sampled_from(
    ["", *map(fingerprint, ["Acme buys Globex", "Acme buys Globex for cash", "Initech shares fall"])]
)
ITEMS = st.lists(
    st.builds(Opinion, AGES.map(lambda age: NOW - age), COMPOUNDS, st.floats(0.1, 1), MARKS), min_size=1, max_size=20
)


def test_an_item_six_hours_older_weighs_half() -> None:
    items = [Opinion(NOW, 0.9), Opinion(NOW - timedelta(hours=6), -0.3)]
    assert rolling_score(items, NOW) == pytest.approx((0.9 + 0.5 * -0.3) / 1.5)


def test_what_is_older_than_three_days_is_forgotten() -> None:
    assert rolling_score([], NOW) is None
    assert rolling_score([Opinion(NOW - timedelta(days=3, seconds=1), 0.9)], NOW) is None
    assert rolling_score([Opinion(NOW - timedelta(days=3), 0.9)], NOW) == pytest.approx(0.9)


@pytest.mark.parametrize("ahead", [timedelta(seconds=1), timedelta(hours=14), timedelta(days=1)])
def test_an_item_that_a_clock_ahead_of_ours_dated_counts_as_new(ahead: timedelta) -> None:
    assert rolling_score([Opinion(NOW + ahead, 0.6), Opinion(NOW, 0.2)], NOW) == pytest.approx(0.4)


@pytest.mark.parametrize("ahead", [timedelta(days=1, seconds=1), timedelta(days=400), timedelta(days=365_000)])
def test_one_of_a_day_to_come_has_no_weight_for_its_age_is_unknown(ahead: timedelta) -> None:
    assert rolling_score([Opinion(NOW + ahead, 0.6), Opinion(NOW, 0.2)], NOW) == pytest.approx(0.2)
    assert rolling_score([Opinion(NOW + ahead, 0.6)], NOW) is None


@given(ITEMS, st.randoms(use_true_random=False))
def test_the_order_of_the_items_makes_no_difference(items: list[Opinion], random) -> None:
    shuffled = items.copy()
    random.shuffle(shuffled)
    assert rolling_score(shuffled, NOW) == rolling_score(items, NOW)


@given(ITEMS)
def test_the_score_lies_between_the_extremes(items: list[Opinion]) -> None:
    score = rolling_score(iter(items), NOW)
    assert score is not None
    compounds = [item.compound for item in items]
    assert min(compounds) - 1e-12 <= score <= max(compounds) + 1e-12


def test_an_item_counts_by_its_weight() -> None:
    assert rolling_score([Opinion(NOW, 0.9), Opinion(NOW, -0.3, 0.2)], NOW) == pytest.approx((0.9 - 0.06) / 1.2)
    assert rolling_score([Opinion(NOW, 0.9, 0.2)], NOW) == pytest.approx(0.9)
    assert rolling_score([Opinion(NOW, 0.9, 0.0)], NOW) is None


def test_a_story_counts_once_and_from_when_it_was_first_told() -> None:
    mark = fingerprint("Acme recalls a million cars")
    first = NOW - timedelta(hours=6)
    told = [Opinion(first, -0.6, 1, mark), Opinion(NOW, -0.4, 1, mark), Opinion(NOW, -0.5, 1, mark)]
    assert rolling_score([*told, Opinion(NOW, 0.5)], NOW) == pytest.approx((0.5 * -0.5 + 0.5) / 1.5)


POSITIVE_NEWS = [
    # headlines
    "Chipmaker smashes forecasts as AI demand booms",
    "Retailer announces $5 billion share buyback and hikes dividend",
    "Losses narrow at ride-hailing firm",
    "Jobless claims fall more than expected",
    # company news
    "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn in the corresponding period",
    "Net profit totalled EUR 21.1 mn, up from EUR 18.6 mn a year earlier",
    "Profit was EUR 10.9 mn, compared to a loss of EUR 4.2 mn in the previous year",
    "The order is worth EUR 12 mn and has been awarded by a utility",
]
POSITIVE_POSTS = [
    "$AAPL calls printing, to the moon 🚀",
    "PT raised to $250 at the broker $NVDA",
    "$MSFT +3.2% after hours",
    "long $FB here, stop at 180",
    "short squeeze incoming $GME",
    "Loaded up on $SPY 📈",
    "$NVDA crushed it this quarter",
]
NEGATIVE_NEWS = [
    "Company files for Chapter 11 bankruptcy protection",
    "Retailer misses on revenue, slashes guidance",
    "Automaker recalls 1 million vehicles over brake defect",
    "CEO abruptly resigns amid accounting probe",
    "Net sales decreased by 12 % to EUR 38.3 mn from EUR 43.5 mn",
    "Profit before taxes was EUR 4.0 mn, down from EUR 4.9 mn",
    "The company's operating loss widened to EUR 3.2 mn",
    "The company will lay off 150 employees and close its plant",
]
NEGATIVE_POSTS = [
    "$NFLX downgraded to sell",
    "Bought puts on $UBER, this is going lower",
    "$BA −4.1% premarket",
    "$WISH bagholders getting rekt",
    "Fully out of $SNAP 📉",
]
NEUTRAL_NEWS = [
    "Crude oil inventories report due Wednesday",
    "Interest rates in focus as central bankers meet",
    "The company's shares are listed on the Helsinki exchange",
    "The company provides software solutions and services for energy and security customers",
    "There are no plans to move all production abroad",
    "The number of shares is 12,000,000 and each share carries one vote",
    "A spokesperson declined to comment",
    "The shares represent 5.1 % of the voting rights",
]
NEUTRAL_POSTS = [
    "Anyone watching $MSFT into earnings?",
    "$AAPL earnings call at 5pm ET",
    "$GAIN $LOVE $CALM on watch today",
    "$AAPL implied volatility at 3% for the next expiry",
]
LABELLED: list[tuple[str, ItemKind, str]] = [
    *((text, "article", "positive") for text in POSITIVE_NEWS),
    *((text, "article", "negative") for text in NEGATIVE_NEWS),
    *((text, "article", "neutral") for text in NEUTRAL_NEWS),
    *((text, "post", "positive") for text in POSITIVE_POSTS),
    *((text, "post", "negative") for text in NEGATIVE_POSTS),
    *((text, "post", "neutral") for text in NEUTRAL_POSTS),
]


def cases(kind: ItemKind, tables: dict[str, Cases]) -> list[object]:
    return [
        pytest.param(text, kind, label, id=f"{name}: {text}")
        for name, table in tables.items()
        for text, label, _ in table
    ]


VADER, ALONE = SentimentIntensityAnalyzer(), Analyzer({})
VADERS_WORDS = [
    *("good", "GOOD", "bad", "horrible", "hope,", "(great)", "meeting", "MEETING", "kinda", "very", "but", "no", "or"),
    *("not", "isn't", "never", "so", "this", "without", "doubt", "least", "at", "the", "shit", "kiss", "of", "death"),
    *("to", "die", "for", ":)", "😀", "!!!", "???"),
]


class TestFinance:
    @pytest.mark.parametrize(("text", "kind", "label"), LABELLED)
    def test_news_and_posts_are_understood(self, text: str, kind: ItemKind, label: str) -> None:
        assert SCORER.score(text, kind)[1] == label

    @pytest.mark.parametrize(("text", "kind", "label"), cases("article", ARTICLES) + cases("post", POSTS))
    def test_what_scorers_get_wrong(self, text: str, kind: ItemKind, label: str) -> None:
        assert SCORER.score(text, kind)[1] == label

    @pytest.mark.parametrize(
        ("text", "label"),
        [
            ("$AAPL did not beat estimates", "negative"),
            ("$AAPL didn’t beat estimates", "negative"),
            ("The unit is no longer profitable", "negative"),
            ("Revenue never recovered", "negative"),
            ("The company isn't bankrupt", "positive"),
        ],
    )
    def test_a_negation_turns_a_word_round(self, text: str, label: str) -> None:
        assert SCORER.score(text)[1] == label

    def test_a_phrase_outranks_its_words_and_may_have_hyphens(self) -> None:
        assert SCORER.explain("Profit warning at the retailer").words == [("profit warning", -2.2)]
        assert SCORER.explain("Profit-warning at the retailer").words == [("profit-warning", -2.2)]
        assert SCORER.explain("The Fed and its rate cut").compound > 0 > SCORER.explain("It cut its dividend").compound

    def test_emphasis_counts(self) -> None:
        plain = SCORER.score("profits plunge", "post")[0]
        assert SCORER.score("profits plunge!!!", "post")[0] < plain
        assert SCORER.score("profits sharply and utterly plunge", "post")[0] < plain

    def test_an_article_shouts_in_vain_but_may_stress_a_word(self) -> None:
        plain = SCORER.score("Profits plunge")[0]
        assert SCORER.score("Profits PLUNGE!!!")[0] == plain
        assert SCORER.score("Profits utterly plunge")[0] < plain

    @pytest.mark.parametrize(
        ("text", "names", "label"),
        [
            ("Gold gains as dollar slips", ["gold"], "positive"),
            ("Gold gains as dollar slips", ["dollar"], "negative"),
            ("Acme rises, Globex falls", ["acme"], "positive"),
            ("Acme rises, Globex falls", ["globex"], "negative"),
            ("Acme drops while Globex and Initech rally", ["initech"], "positive"),
        ],
    )
    def test_the_clause_counts_that_names_whom_it_is_scored_for(self, text: str, names: list[str], label: str) -> None:
        assert SCORER.score(text, names=names)[1] == label

    def test_an_article_is_scored_for_its_ticker(self) -> None:
        title = "Apple shares rise, Microsoft falls after results"
        scored = {
            ticker: SCORER.score_item(
                Article(ticker=ticker, ts=NOW, id="1", title=title, url="https://x/1", source="wire")
            ).label
            for ticker in ("AAPL", "MSFT")
        }
        assert scored == {"AAPL": "positive", "MSFT": "negative"}

    def test_a_symbol_is_a_name_in_capitals_only(self) -> None:
        def label(title: str) -> str:
            return SCORER.score_item(
                Article(ticker="ALL", ts=NOW, id="1", title=title, url="https://x/1", source="wire")
            ).label

        assert label("Acme rises, but all of its rivals fall hard") == label(
            "Acme rises, but most of its rivals fall hard"
        )
        assert label("Acme rises, ALL falls") == "negative"

    def test_the_same_words_say_another_thing_in_an_article_than_in_a_post(self) -> None:
        text = "The love of cancer charities"
        assert SCORER.score(text, "article") == (0.0, "neutral")
        assert SCORER.score(text, "post")[0] > 0

    @given(st.lists(st.sampled_from(VADERS_WORDS), max_size=30).map(" ".join))
    def test_without_a_lexicon_the_engine_is_vaders(self, text: str) -> None:
        assert ALONE.weigh(text)[0] == VADER.polarity_scores(text)["compound"]


class TestWords:
    def test_the_strongest_come_first_and_a_repeated_one_adds_up(self) -> None:
        words = SCORER.explain("Shares surge, surge again; lawsuit looms").words
        assert {word for word, _ in words} == {"surge", "lawsuit", "looms"}
        assert words[0][0] == "surge"
        assert words[0][1] == pytest.approx(2 * SCORER.explain("Shares surge").words[0][1])

    def test_they_are_those_of_the_text_after_its_negations(self) -> None:
        ((word, valence),) = SCORER.explain("$AAPL did not BEAT").words
        assert word == "beat"
        assert valence < 0
        assert SCORER.explain("$AAPL (+3.2%)").words == [("+3.2%", 1.2)]
        assert SCORER.explain("$AAPL (+3.2%)", "post").words == [("(+3.2%)", 1.2)]
        assert SCORER.explain("nothing to see here").words == []

    @pytest.mark.parametrize(("text", "kind"), [(text, kind) for text, kind, _ in LABELLED])
    def test_they_add_up_in_the_direction_of_the_score(self, text: str, kind: ItemKind) -> None:
        compound, words = SCORER.explain(text, kind)
        total = sum(valence for _, valence in words)
        assert (total > 0) == (compound > 0)
        assert (total < 0) == (compound < 0)

    def test_an_article_has_those_of_title_and_summary_at_most_eight(self) -> None:
        assert [word for word, _ in SCORER.score_item(article("Shares plunge", "Sales rose")).words] == [
            "plunge",
            "rose",
        ]
        many = "lawsuit, fraud, bankruptcy, plunge, tumble, slump, recall, downgrade, misses, layoffs"
        assert len(SCORER.score_item(article(many)).words) == 8

    def test_a_tag_that_decided_stands_in_their_place(self) -> None:
        decided = SCORER.score_item(post(BAD, tag="bullish"))
        assert (decided.tag, decided.words) == ("bullish", [])
        confirmed = SCORER.score_item(post(GOOD, tag="bullish"))
        assert confirmed.tag is None
        assert confirmed.words

    @given(st.text(max_size=200), st.sampled_from(["article", "post"]))
    def test_any_text_has_a_score_and_the_same_one_again(self, text: str, kind: ItemKind) -> None:
        scored = SCORER.explain(text, kind)
        assert -1 <= scored.compound <= 1
        assert all(word for word, _ in scored.words)
        assert scored == SCORER.explain(text, kind)


class TestLexicon:
    def test_it_is_small_sorted_and_on_vaders_scale(self) -> None:
        lexicon = read_valences("finance.tsv")
        assert 1000 < len(lexicon) < 2500
        assert list(lexicon) == sorted(lexicon)
        assert all(term == term.lower().strip() and -4 <= valence <= 4 for term, valence in lexicon.items())

    def test_a_change_of_it_has_a_number_of_its_own(self) -> None:
        files = sorted(FOLDER.iterdir())
        digest = hashlib.blake2b(b"".join(file.read_bytes() for file in files), digest_size=4).hexdigest()
        assert (SCORING, digest) == (2, "9388b790"), "raise SCORING, so that a replay replaces the old scores"

    def test_it_is_what_the_script_makes(self) -> None:
        assert (FOLDER / "finance.tsv").read_text("utf-8") == made_from(require(SENTFIN))

    def test_recorded_headlines_are_mostly_understood(self) -> None:
        headlines = read_headlines(require(SENTFIN))
        right = sum(SCORER.score(headline.title)[1] == headline.label for headline in headlines)
        assert right / len(headlines) > 0.8  # VADER alone 0.52
