"""Which headlines tell the same story."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.analytics.stories import APART, fingerprint, told

NOW = datetime(2026, 3, 4, 15, tzinfo=UTC)

SAME = [
    ("Acme to buy Globex for $2 billion in cash", "Acme to buy Globex for $2 billion in cash - Newswire"),
    ("Acme shares tumble after profit warning", "UPDATE 2-Acme shares tumble on profit warning"),
    (
        "Acme recalls 40,000 pickup trucks over brake fault",
        "Acme Recalls 40,000 Pickup Trucks Over a Brake Fault | The Post",
    ),
    ("Initech beats estimates, raises full-year outlook", "Initech beats estimates and raises its full-year outlook"),
    ("Chipmaker Hooli opens plant in Dresden with 2,000 jobs", "Hooli opens plant in Dresden with 2,000 jobs"),
]
OTHER = [
    ("Acme to buy Globex for $2 billion in cash", "Acme shares tumble after profit warning"),
    ("Acme beats estimates in the third quarter", "Globex misses estimates in the third quarter"),
    ("Acme upgraded to buy at Harborview", "Initech downgraded to hold at Harborview"),
    ("Acme recalls 40,000 pickup trucks over brake fault", "Acme starts building pickup trucks in Ohio"),
]


def count(*titles: str, apart: timedelta = timedelta(0)) -> int:
    return len(told([(NOW - i * apart, fingerprint(title)) for i, title in enumerate(titles)]))


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_story_in_other_words(one: str, other: str) -> None:
    assert count(one, other) == 1


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_two_stories(one: str, other: str) -> None:
    assert count(one, other) == 2


def test_what_follows_a_dash_may_be_the_headline() -> None:
    assert count("$ACME - Harborview cuts Acme to neutral", "$ACME - Acme opens plant in Ohio") == 2


def test_too_few_words_tell_nothing() -> None:
    assert fingerprint("Markets wrap") == ""
    assert fingerprint("") == ""
    assert len(told([(NOW, ""), (NOW, "")])) == 2


def test_a_headline_that_comes_back_is_told_anew() -> None:
    title = "Five shares to watch today"
    assert count(title, title, apart=APART) == 1
    assert count(title, title, apart=APART + timedelta(seconds=1)) == 2


def test_the_fingerprint_does_not_depend_on_the_process() -> None:
    assert fingerprint("Acme to buy Globex").startswith("7b5e28015f025d62")


TITLES = [title for pair in (*SAME, *OTHER) for title in pair]
ITEMS = st.lists(st.tuples(st.integers(0, 72), st.sampled_from(["", *TITLES])), max_size=30)


@given(ITEMS, st.integers())
def test_the_order_makes_no_difference(items: list[tuple[int, str]], seed: int) -> None:
    marked = [(NOW - timedelta(hours=hours), fingerprint(title)) for hours, title in items]
    shuffled = random.Random(seed).sample(marked, len(marked))

    def stories(of: list[tuple[datetime, str]]) -> list[list[tuple[datetime, str]]]:
        return sorted([of[i] for i in places] for places in told(of))

    found = stories(marked)
    assert found == stories(shuffled)
    assert sorted(item for story in found for item in story) == sorted(marked)
    assert all(story == sorted(story) for story in found)
