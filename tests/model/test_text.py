"""Text from outside, cleaned."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import clean, clean_html

# Ordinary text mixed with what terminals obey and eyes do not see.
ESCAPES = st.sampled_from(
    [
        "\x1b",
        "\x1b[",
        "\x1b[31m",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x9b2J",
        "\x90q",
        "\x9c",
        "\x07",
        "\x00",
    ]
)
UNSEEN = st.sampled_from(
    ["\u202e", "\u2066", "\u200f", "\ufeff", "\u200d", "\u2028", "\ud800", "\ue000", "\U000e0041", "\r\n", "\t"]
)
TEXTS = st.lists(st.one_of(ESCAPES, UNSEEN, st.text(max_size=8))).map("".join)


@given(TEXTS, st.integers(1, 60))
def test_what_comes_out_is_one_bounded_line_without_anything_invisible(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    assert cleaned == cleaned.strip()
    assert "  " not in cleaned
    for character in cleaned:
        category = unicodedata.category(character)
        assert character in "\u200c\u200d" or not category.startswith("C"), repr(character)
        assert character == " " or not character.isspace()
    cleaned.encode()


@given(TEXTS, st.integers(1, 60))
def test_cleaning_twice_is_cleaning_once(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert clean(cleaned, limit) == cleaned


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), max_size=40))
def test_visible_text_is_left_alone(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[1;31mred\x1b[0m alert", "red alert"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]8;;https://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1bcreset", "reset"),
        ("abc\u202efed", "abcfed"),
        ("two\r\n  lines\u2028and one", "two lines and one"),
        ("[bold]not markup[/]", "[bold]not markup[/]"),
        ("👩\u200d🚀 up", "👩\u200d🚀 up"),
        ("lone \ud83d surrogate", "lone surrogate"),
    ],
)
def test_examples(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_a_long_text_ends_in_an_ellipsis() -> None:
    assert clean("abcdef", 6) == "abcdef"
    assert clean("abcdefg", 6) == "abcde…"
    assert clean("abcd efg", 6) == "abcd…"


def test_html_is_unescaped_before_it_is_cleaned() -> None:
    assert clean_html("Johnson &amp; Johnson&#39;s &lt;3") == "Johnson & Johnson's <3"
    assert clean_html("a&#x202e;b&#8238;c") == "abc"


@pytest.mark.parametrize("unit", ["\x1b", "\x1b[", "\x1b[0", "\x1b]", "\x9b;", "&#27;", " ", "\u202e"])
def test_a_megabyte_of_hostile_text_costs_little(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    clean(text)
    clean_html(text)
    assert time.process_time() - started < 1
