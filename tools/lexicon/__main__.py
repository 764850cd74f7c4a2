"""Makes the lexicon that ships from the hand-written seed and from labelled headlines.

uv run python -m tools.lexicon SEntFiN.csv
"""

import sys
from pathlib import Path
from typing import Final

from pipeline.analytics.wordlists import FOLDER
from tools.lexicon.headlines import read_headlines
from tools.lexicon.learn import learn, read_seed

HEAD: Final = """\
# Valences of financial English; 0 keeps a term from being heard. For posts they go over VADER's lexicon, articles have
# no others. Made by `python -m tools.lexicon`
# from tools/lexicon/seed.txt, which is original work, and from the labels of SEntFiN 1.0 (MIT licence, copyright 2021
# Ankur Sinha, Satishwar Kedas, Rishu Kumar, Pekka Malo). After a change raise SCORING in
# pipeline/analytics/sentiment.py.
"""


def made_from(headlines: Path) -> str:
    """The text of the file that ships."""
    learnt = learn(read_headlines(headlines), read_seed())
    return HEAD + "".join(f"{term}\t{valence:g}\n" for term, valence in sorted(learnt.items()))


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tools.lexicon SEntFiN.csv")
    (FOLDER / "finance.tsv").write_text(made_from(Path(sys.argv[1])), "utf-8")


if __name__ == "__main__":
    main()
