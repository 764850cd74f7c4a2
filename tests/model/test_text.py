"""Text from outside, cleaned."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pipeline.model.text import clean, clean_html, drawn, spreadsheet_cell

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


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_what_begins_a_formula_is_text_in_a_spreadsheet(begin: str) -> None:
    assert spreadsheet_cell(f"{begin}1+1") == f"'{begin}1+1"
    assert spreadsheet_cell(f"1{begin}1") == f"1{begin}1"


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("keycap 1\ufe0f\u20e3 #\ufe0f\u20e3", "keycap 1 #"),
        ("\u2764\ufe0f \u2764\ufe0e \u260e\ufe0f", "\u2764 \u2764 \u260e"),
        ("👩\u200d🚀 👨\u200d👩\u200d👧", "👩🚀 👨👩👧"),
        ("👍🏽 up", "👍 up"),
        ("🏳\ufe0f\u200d🌈", "🏳🌈"),
        ("🇺🇸 and 🇩🇪", "US and DE"),
        ("🏴\U000e0067\U000e0062\U000e007f flag", "🏴 flag"),
        ("葛\U000e0100 城", "葛 城"),
        ("é e\u0301 日本 ok", "é e\u0301 日本 ok"),
    ],
)
def test_what_is_drawn_has_the_same_width_in_every_terminal_and_what_is_stored_is_whole(
    stored: str, shown: str
) -> None:
    assert drawn(stored) == shown
    without_tags = "".join(c for c in stored if not 0xE0000 <= ord(c) <= 0xE007F)
    assert clean(stored) == without_tags


@given(TEXTS)
def test_what_is_drawn_is_clean_and_measured_character_by_character(text: str) -> None:
    shown = drawn(text)
    assert drawn(shown) == shown
    assert cell_len(shown) == sum(map(cell_len, shown))
