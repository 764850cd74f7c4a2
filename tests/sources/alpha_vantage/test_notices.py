"""What the notices of Alpha Vantage teach, in its words of 2017 to 2026; the texts are those that its users report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.alpha_vantage.errors import (
    AlphaVantageError,
    BadKeyError,
    BadRequestError,
    BurstLimitError,
    DailyLimitError,
    DemoKeyError,
    FullOutputNotInPlanError,
    NoArticlesError,
    NotInPlanError,
    UnknownSymbolError,
)
from pipeline.sources.alpha_vantage.notices import Notice, meaning_of

THANKS = "Thank you for using Alpha Vantage!"
PREMIUM = "https://www.alphavantage.co/premium/"
PLANS = f"any of the premium plans at {PREMIUM} to"
DOCUMENTATION = "https://www.alphavantage.co/documentation"
KEY_PAGE = "(https://www.alphavantage.co/support/#api-key)"

BURSTS = [
    "Please consider optimizing your API call frequency.",
    f"{THANKS} Please visit {PREMIUM} if you would like to have a higher API call volume.",
    f"{THANKS} Please contact premium@alphavantage.co if you are targeting a higher API call volume.",
    (
        f"{THANKS} Our standard API call frequency is 5 calls per minute and 500 calls per day. "
        f"Please visit {PREMIUM} if you would like to target a higher API call frequency."
    ),
    (
        f"{THANKS} Our standard API call frequency is 5 calls per minute and 500 calls per day. "
        f"Please visit {PREMIUM}if you would like to target a higher API call frequency."
    ),
    (
        f"{THANKS} Our standard API call frequency is 5 calls per minute and 100 calls per day. "
        f"Please subscribe to {PLANS} instantly remove all daily rate limits."
    ),
    f"{THANKS} Our standard API call frequency is 5 calls per minute...",
    (
        f"{THANKS} Please consider spreading out your free API requests more sparingly. You may subscribe to "
        f"{PLANS} lift "
        "the free key rate limit (25 requests per day) and instantly unlock all premium endpoints"
    ),
    (
        f"{THANKS} Please consider spreading out your free API requests more sparingly (1 request per second). You may "
        f"subscribe to {PLANS} lift the free key rate limit (25 requests per day), raise the per-second burst "
        "limit, and "
        "instantly unlock all premium endpoints"
    ),
    (
        f"Please consider spreading out your free API requests, or subscribe to {PLANS} lift the free key rate limit "
        "(25 requests per day)"
    ),
    (
        "Burst pattern detected. Please consider spreading out your API requests more evenly across a "
        "1-minute window and "
        "query no more than 30 requests per second."
    ),
    "Minute-level rate limit exceed. Please stay under the number of API requests per minute for your premium plan.",
]
DAYS_OVER = [
    (
        f"{THANKS} Our standard API rate limit is 25 requests per day. Please subscribe to {PLANS} instantly "
        "remove all "
        "daily rate limits."
    ),
    f"{THANKS} Our standard API call frequency is 25 calls per day.",
    (
        f"We have detected your API key as Q7PLANTED and our standard API rate limit is 25 requests per day. Please "
        f"subscribe to {PLANS} instantly remove all daily rate limits."
    ),
    (
        f"{THANKS} You have reached the daily limit of 25 API requests. Please try again tomorrow or visit "
        f"{PREMIUM} to "
        "upgrade."
    ),
]
NOT_IN_PLAN = [
    f"{THANKS} This is a premium endpoint. You may subscribe to {PLANS} instantly unlock all premium endpoints",
    (
        f"{THANKS} This is a premium endpoint and there are multiple ways to unlock premium endpoints: (1) "
        "become a holder "
        "of Alpha Vantage Coin (AVC), an Ethereum-based cryptocurrency that provides various utility & governance "
        "functions within the Alpha Vantage ecosystem (AVC mining guide: "
        "https://www.alphavantage.co/alphacoin/) to unlock "
        f"all premium endpoints, (2) subscribe to {PLANS} instantly unlock all premium endpoints"
    ),
    "This is a premium endpoint. Please subscribe to any of the premium plans.",
    "This is a premium endpoint on your current plan.",
    (
        "This is a premium endpoint. ***THE SAMPLE DATA SCHEMA BELOW IS ARTIFICIAL AND FOR ILLUSTRATION "
        "PURPOSES ONLY***. "
        "To access the actual data, please subscribe to any premium plan that mentions 'Realtime US Market "
        "Data' in its "
        f"description at {PREMIUM} for your personal non-professional use. For professional/commercial use, "
        "please contact "
        "support at support@alphavantage.co."
    ),
]
FULL = [
    (
        f"{THANKS} The outputsize=full parameter value is a premium feature for the TIME_SERIES_DAILY "
        "endpoint. You may "
        f"subscribe to {PLANS} instantly unlock all premium features"
    ),
    "The outputsize=full parameter value is a premium feature.",
]
BAD_KEY = [
    (
        f"the parameter apikey is invalid or missing. Please claim your free API key on {KEY_PAGE}. It should "
        "take less "
        "than 20 seconds."
    ),
    (
        f"the parameter apikey is invalid or missing. Please claim your free API key on {KEY_PAGE}. It should "
        "take less "
        "than 20 seconds, and is free permanently."
    ),
]
DEMO = [
    (
        f"The **demo** API key is for demo purposes only. Please claim your free API key at {KEY_PAGE} to "
        "explore our full "
        "API offerings. It takes fewer than 20 seconds, and we are committed to making it free forever."
    ),
    "The demo API key is for demo purposes only. Please claim your free API key at alphavantage.co/support/#api-key",
]
REFUSED = [
    f"Invalid API call. Please retry or visit the documentation ({DOCUMENTATION}/) for TIME_SERIES_DAILY.",
    "Invalid API call. Please retry.",
    f"Invalid inputs. Please refer to the API documentation {DOCUMENTATION}#newsapi and try again.",
]
UNSURE = [
    "",
    THANKS,
    f"{THANKS} You may subscribe to {PLANS} instantly unlock all premium endpoints",
    "Something new about premium endpoints, 25 requests per day and an invalid API call",
    f"The free key allows 25 requests per day. Upgrade at {PREMIUM}",
    "Your premium plan has been renewed.",
    "Invalid API call. Please try again later.",
    "Invalid API call. Our servers are under maintenance.",
    "This is a premium endpoint. Access is temporarily suspended.",
    "We are migrating keys. The parameter apikey is invalid or missing.",
    "Our standard API rate limit is 25 requests per day. Invalid API call.",
]

TABLE: list[tuple[str, type[AlphaVantageError] | None]] = [
    *((text, BurstLimitError) for text in BURSTS),
    *((text, DailyLimitError) for text in DAYS_OVER),
    *((text, NotInPlanError) for text in NOT_IN_PLAN),
    *((text, FullOutputNotInPlanError) for text in FULL),
    *((text, BadKeyError) for text in BAD_KEY),
    *((text, DemoKeyError) for text in DEMO),
    *((text, UnknownSymbolError) for text in REFUSED),
    ("This API function () does not exist.", BadRequestError),
    (
        (
            "No articles found. Please adjust the time range or refer to the API documentation "
            f"{DOCUMENTATION}#newsapi "
            "and try again."
        ),
        NoArticlesError,
    ),
    *((text, None) for text in UNSURE),
]
EXPENSIVE = (DailyLimitError, NotInPlanError, BadKeyError, DemoKeyError, UnknownSymbolError, BadRequestError)
SALES = [
    f"You may subscribe to {PLANS} lift the free key rate limit (25 requests per day)",
    f"Please subscribe to {PLANS} instantly remove all daily rate limits.",
    f"please visit {PREMIUM} to unlock all premium endpoints and the outputsize=full parameter value",
    "Premium keys know every symbol: no invalid API call, no demo, no limit of 25 requests per day.",
]
WORDS = [
    *("premium", "endpoint", "is", "a", "this", "25", "requests", "per", "day", "our", "standard", "api", "rate"),
    *("limit", "invalid", "call", "apikey", "parameter", "missing", "or", "symbol", "demo", "key", "outputsize=full"),
    *("not", "unless", "plan", "subscribe", "daily", "reached", ".", ",", "!", "\n", "(", ")"),
]
CLAIMS = [
    "Our standard API rate limit is 25 requests per day",
    "This is a premium endpoint",
    "The outputsize=full parameter value is a premium feature",
    "The parameter apikey is invalid or missing",
    "The **demo** API key is for demo purposes only",
    "Invalid API call",
    "Invalid inputs",
]


def meaning(text: str) -> AlphaVantageError | None:
    return meaning_of(Notice(information=text), "TIME_SERIES_DAILY", "IBM")


@pytest.mark.parametrize(("text", "learnt"), TABLE, ids=lambda value: str(value)[:60])
def test_what_each_text_teaches(text: str, learnt: type[AlphaVantageError] | None) -> None:
    found = meaning(text)
    assert (None if found is None else type(found)) is learnt
    for notice in (Notice(error=text), Notice(note=text)):
        assert type(meaning_of(notice, "F", "IBM")) is type(found)


@pytest.mark.parametrize(("text", "learnt"), [*TABLE], ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("sale", SALES[:3])
def test_sales_text_after_it_changes_nothing(text: str, learnt: type[AlphaVantageError] | None, sale: str) -> None:
    assert type(meaning(f"{text.rstrip('. ')}. {sale}")) is (type(None) if learnt is None else learnt)


@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), min_size=4, max_size=30).map(" ".join)))
def test_a_text_that_is_not_known_is_never_an_expensive_lesson(text: str) -> None:
    known = any(claim.lower().replace("*", "") in " ".join(text.lower().split()) for claim in CLAIMS)
    assert known or not isinstance(meaning(text), EXPENSIVE)


@given(text=st.sampled_from([*BURSTS, *UNSURE]), sales=st.lists(st.sampled_from(SALES), max_size=3), mark=st.data())
def test_nor_do_sales_make_it_one(text: str, sales: list[str], mark: st.DataObject) -> None:
    for sale in sales:
        text += mark.draw(st.sampled_from([" ", ". ", ", and ", "; ", " (", "! ", "\n"])) + sale
    assert not isinstance(meaning(text), EXPENSIVE)


@given(st.sampled_from(CLAIMS), st.data())
def test_a_sentence_that_was_changed_does_not_mean_what_it_did(claim: str, data: st.DataObject) -> None:
    words = claim.split()
    place = data.draw(st.integers(1, len(words) - 1))
    words.insert(place, data.draw(st.sampled_from(["not", "no longer", "never", "sometimes", "hardly", "only once"])))
    assert not isinstance(meaning(" ".join(words)), EXPENSIVE)
    assert isinstance(meaning(claim), EXPENSIVE)


@given(st.sampled_from(CLAIMS), st.sampled_from(["But not for you", "This will pass", "Ignore this, we are moving"]))
def test_nor_does_one_beside_another_that_is_not_known(claim: str, other: str) -> None:
    assert not isinstance(meaning(f"{claim}. {other}."), EXPENSIVE)
    assert not isinstance(meaning(f"{other}. {claim}."), EXPENSIVE)


@pytest.mark.parametrize(
    ("message", "learnt"),
    [
        (NOT_IN_PLAN[-1], NotInPlanError),
        ("This is a premium endpoint.", NotInPlanError),
        ("The quotes of premium users are delayed by 15 minutes.", None),
        ("", None),
        ("Data as of the last close.", None),
    ],
)
def test_a_message_beside_data_is_one_where_the_data_may_be_made_up(
    message: str, learnt: type[AlphaVantageError] | None
) -> None:
    notice = Notice(message=message)
    found = meaning_of(notice, "REALTIME_BULK_QUOTES", None)
    assert (None if found is None else type(found)) is learnt
    assert (notice.text is not None) is ("premium" in message)
