"""Reads the word lists of `lexicon/`: valences, names, and classes of words."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "lexicon"


def read_valences(name: str) -> dict[str, float]:
    """Valences by term."""
    return {term: float(valence) for term, valence in _entries(name)}


def read_names(name: str) -> dict[str, list[str]]:
    """What each ticker is called, in lower case."""
    return {ticker: names.split(", ") for ticker, names in _entries(name)}


def read_classes(name: str) -> dict[str, frozenset[str]]:
    """The words of each class: the lines after one with its name in brackets, of words with commas between them."""
    found: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in _lines(name):
        if line.startswith("["):
            current = found.setdefault(line.strip("[]"), set())
        else:
            current.update(line.split(", "))
    return {name: frozenset(words) for name, words in found.items()}


def _entries(name: str) -> list[tuple[str, str]]:
    """Lines of a term, a tab and what there is to say of it."""
    return [(term, rest) for term, _, rest in (line.partition("\t") for line in _lines(name))]


def _lines(name: str) -> list[str]:
    """Those of the file that say something; one that begins with # is a comment."""
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
