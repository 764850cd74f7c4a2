"""How well headlines are understood, and how fast: VADER alone, with finVADER's lists, with the lexicon that ships.

uv run python -m bench.sentiment [FINVADER.whl]

On the 7,906 headlines of SEntFiN that name one entity, in ../shared/data. What is learnt is learnt on four fifths and
measured on the other, by headlines at random and by entities that the other four do not name. finVADER does not
install on Python 3.12, and its lists bear no licence of their own that would let them ship, so that they are read from
its wheel where one is given.
"""

import random
import re
import statistics
import sys
import zipfile
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import Final

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.analytics.articles import ArticleAnalyzer
from pipeline.analytics.sentiment import SentimentScorer, label_of
from tools.lexicon.headlines import Headline, read_headlines
from tools.lexicon.learn import learn, read_seed

DATA: Final = Path(__file__).parents[2] / "shared" / "data" / "sentiment" / "SEntFiN.csv"
FOLDS: Final = 5
LABELS: Final = ("positive", "neutral", "negative")
SCALE: Final = {"SentiBignomics": 0.1, "Henry": 1.0}
"""As finVADER weighs its lists."""
_ENTRY: Final = re.compile(r"\['([^']+)'\]\s*=\s*(-?[\d.]+)")


def finvader_lists(wheel: Path) -> dict[str, float]:
    lists: dict[str, float] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name, scale in SCALE.items():
            source = archive.read(f"finvader/{name}.py").decode()
            lists |= {word: scale * float(valence) for word, valence in _ENTRY.findall(source)}
    return lists


def folds(keys: Sequence[Hashable]) -> list[int]:
    """A fold for each headline; those with equal keys share theirs."""
    distinct = sorted(set(keys), key=str)
    random.Random(7).shuffle(distinct)
    fold = {key: i % FOLDS for i, key in enumerate(distinct)}
    return [fold[key] for key in keys]


def learnt_elsewhere(headlines: Sequence[Headline], keys: Sequence[Hashable]) -> list[str]:
    """The labels that each fold gets from a lexicon learnt on the others."""
    labels = [""] * len(headlines)
    seed, fold_of = read_seed(), folds(keys)
    for fold in range(FOLDS):
        others = [headline for headline, other in zip(headlines, fold_of, strict=True) if other != fold]
        analyzer = ArticleAnalyzer(learn(others, seed))
        for i, headline in enumerate(headlines):
            if fold_of[i] == fold:
                labels[i] = label_of(analyzer.weigh(headline.title)[0])
    return labels


def quality(headlines: Sequence[Headline], labels: Sequence[str]) -> tuple[float, float]:
    """Accuracy and macro-F1, the mean of the three labels' F1."""
    pairs = [(headline.label, label) for headline, label in zip(headlines, labels, strict=True)]
    f1 = [
        2 * pairs.count((label, label)) / sum((truth == label) + (found == label) for truth, found in pairs)
        for label in LABELS
    ]
    return sum(truth == found for truth, found in pairs) / len(pairs), statistics.mean(f1)


def speed(score: Callable[[str], object], headlines: Sequence[Headline]) -> float:
    """Texts a second on one core: the median of five runs."""
    times = []
    for _ in range(5):
        began = process_time()
        for headline in headlines:
            score(headline.title)
        times.append(process_time() - began)
    return len(headlines) / statistics.median(times)


def vader_with(lexicon: Mapping[str, float]) -> Callable[[str], float]:
    analyzer = SentimentIntensityAnalyzer()
    analyzer.lexicon.update(lexicon)
    return lambda text: float(analyzer.polarity_scores(text)["compound"])


def main() -> None:
    headlines = read_headlines(DATA)
    scorers = {"VADER": vader_with({})}
    if len(sys.argv) > 1:
        scorers["VADER with finVADER's lists"] = vader_with(finvader_lists(Path(sys.argv[1])))
    analyzer = ArticleAnalyzer(read_seed())
    scorers["ours, the hand-written seed alone"] = lambda text: analyzer.weigh(text)[0]

    print(f"{'':<36}{'accuracy':>10}{'macro-F1':>10}{'texts/s':>10}")
    for name, score in scorers.items():
        accuracy, f1 = quality(headlines, [label_of(score(headline.title)) for headline in headlines])
        print(f"{name:<36}{accuracy:>10.3f}{f1:>10.3f}{speed(score, headlines):>10,.0f}")
    shipped = SentimentScorer()
    rate = speed(shipped.explain, headlines)
    posts = speed(lambda text: shipped.explain(text, "post"), headlines)
    for name, keys in (
        ("ours, five folds", range(len(headlines))),
        ("ours, entities not seen before", [headline.entity for headline in headlines]),
    ):
        accuracy, f1 = quality(headlines, learnt_elsewhere(headlines, keys))
        print(f"{name:<36}{accuracy:>10.3f}{f1:>10.3f}{rate:>10,.0f}")
    print(f"{'ours, as if they were posts':<56}{posts:>10,.0f}")
    long = " ".join(headline.title for headline in headlines[:20])[:1024]
    print(f"\ntexts of 1,024 characters: {1 / timed(shipped, long):,.0f} a second")


def timed(scorer: SentimentScorer, text: str, repeat: int = 200) -> float:
    began = process_time()
    for _ in range(repeat):
        scorer.explain(text)
    return (process_time() - began) / repeat


if __name__ == "__main__":
    main()
