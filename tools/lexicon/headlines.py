"""SEntFiN: news headlines with the sentiment towards each entity they name.

Sinha, A., Kedas, S., Kumar, R. & Malo, P. (2022), "SEntFiN 1.0: Entity-aware sentiment analysis for financial news";
https://github.com/pyRis/SEntFiN, MIT licence.
"""

import csv
import re
from pathlib import Path
from typing import Final, NamedTuple, cast

from pipeline.analytics.sentiment import Label

# A Python dict in the file, but not one that `ast` reads: ``'Osian's Art Fund': 'neutral'``.
_DECISION: Final = re.compile(r"""(['"])(.+?)\1: '(positive|neutral|negative)'""")


class Headline(NamedTuple):
    title: str
    entity: str
    label: Label


def read_headlines(path: Path) -> list[Headline]:
    """The headlines that name one entity, in the order of the file."""
    found = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            decisions = {entity: label for _, entity, label in _DECISION.findall(row["Decisions"])}
            if len(decisions) == 1:
                (entity, label), *_ = decisions.items()
                found.append(Headline(row["Title"], entity, cast("Label", label)))
    return found
