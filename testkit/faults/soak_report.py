"""What a soak came to: its documents held against the truth and an undisturbed run, and its figures as a table."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from pipeline.config.settings import Loaded
from pipeline.engines import open_store_to_read
from pipeline.model.documents import COLLECTIONS
from pipeline.store.base import Query, Store
from testkit.faults.ledger import Entry, compare
from testkit.faults.recording import Recording
from testkit.faults.samples import MIB, Memory, Sample
from testkit.faults.soaking import Happened, Soak, load
from testkit.product import Product


@dataclass(frozen=True)
class Report:
    """`differing` counts documents that are not those of the undisturbed run, to the last bit. Times in seconds."""

    entry: Entry
    differing: int
    unforeseen: list[str]
    happened: list[Happened]
    samples: list[Sample]

    @property
    def last_life(self) -> list[Sample]:
        """Samples of the last process, from when it had caught up."""
        ready = max((h.ended + h.recovery for h in self.happened if h.began < self._last_start), default=0.0)
        return [sample for sample in self.samples if sample.at > max(ready, self._last_start)]

    @property
    def memory(self) -> Memory:
        return Memory.of([sample.memory for sample in self.last_life])

    @property
    def screen(self) -> Memory:
        return Memory.of([sample.screen for sample in self.last_life if sample.screen is not None])

    @property
    def most_lag(self) -> int:
        return max(sample.lag or 0 for sample in self.samples)

    @property
    def _last_start(self) -> float:
        last = self.samples[-1].life
        return next(sample.at for sample in self.samples if sample.life == last)

    def lines(self) -> list[str]:
        """The figures, as Markdown."""
        entry, life = self.entry, self.last_life
        minutes = self.samples[-1].at / 60
        faults, harm = (
            len(self.happened),
            (entry.lost, entry.doubled, entry.wrong, self.differing, len(self.unforeseen)),
        )
        lines = [
            "| bars | minutes | faults | lost | doubled | wrong | differing | tracebacks | most lag, records |",
            "|---|---|---|---|---|---|---|---|---|",
            f"| {entry.messages:,} | {minutes:.0f} | {faults} | {' | '.join(map(str, harm))} | {self.most_lag:,} |",
            "",
        ]
        lines += ["| fault | times | most lag, records | caught up after, s (median, most) |", "|---|---|---|---|"]
        lines += [self._of_fault(name) for name in Counter(h.name for h in self.happened)]
        lines += ["", "| of the last process | first | second third | last third | most |", "|---|---|---|---|---|"]
        for what, memory in (("pipeline, MiB", self.memory), ("screen, MiB", self.screen)):
            sizes = (memory.first, memory.second_third, memory.last_third, memory.most)
            lines.append(f"| {what} | {' | '.join(f'{size / MIB:.1f}' for size in sizes)} |")
        columns: list[tuple[str, list[float], int]] = [
            ("lag, records", [s.lag or 0 for s in life], 0),
            ("file handles", [s.handles for s in life], 0),
            ("threads", [s.threads for s in life], 0),
            ("databases, MiB", [s.databases / MIB for s in life], 1),
            ("their write-ahead logs, MiB", [s.logs / MIB for s in life], 1),
        ]
        for what, values, digits in columns:
            of = Memory.of(values)
            figures = (of.first, of.second_third, of.last_third, of.most)
            lines.append(f"| {what} | {' | '.join(f'{figure:,.{digits}f}' for figure in figures)} |")
        return lines

    def _of_fault(self, name: str) -> str:
        happened = [h for h in self.happened if h.name == name]
        lags = [
            sample.lag or 0 for h in happened for sample in self.samples if h.began <= sample.at <= h.ended + h.recovery
        ]
        lag = f"{max(lags):,}" if lags else ""
        recoveries = [h.recovery for h in happened]
        return f"| {name} | {len(happened)} | {lag} | {statistics.median(recoveries):.1f}, {max(recoveries):.1f} |"


async def report_on(soak: Soak, loaded: Loaded, undisturbed: Product) -> Report:
    """Replay the whole recording once more, undisturbed and on engines of its own, and compare."""
    recording = soak.recording
    recording.rewind()
    source = ("--source", f"replay:{recording.directory}", "--speed", "max")
    result = undisturbed.run(*recording.tickers, "--no-ui", *source, "--until-idle", timeout=3600)
    assert result.returncode == 0, result.stderr
    async with open_store_to_read(loaded) as store, open_store_to_read(load(undisturbed)) as calm:
        return Report(
            await _audit(store, recording),
            await _differing(store, calm, recording.tickers),
            soak.unforeseen,
            soak.happened,
            soak.samples,
        )


_COMPARED = ("stock_data", "indicators")


async def _audit(store: Store, recording: Recording) -> Entry:
    """Ticker by ticker, since a long run's documents are too many to be held at once."""
    found = Entry()
    for ticker, bars in groupby(recording.live, lambda bar: bar.ticker):
        stored, rows = [await store.find(Query(name, ticker=ticker)) for name in _COMPARED]
        entry = compare(bars, stored, rows)
        found.messages += entry.messages
        found.lost += entry.lost
        found.doubled += entry.doubled
        found.wrong += entry.wrong
    return found


async def _differing(store: Store, calm: Store, tickers: Sequence[str]) -> int:
    """Documents that only one of the stores has as they are."""
    here, there = await store.counts(), await calm.counts()
    differing = sum(abs(here[name] - there[name]) for name in COLLECTIONS if name not in _COMPARED)
    for query in (Query(name, ticker=ticker) for name in _COMPARED for ticker in tickers):
        ours, theirs = [{d["_id"]: d for d in await each.find(query)} for each in (store, calm)]
        differing += sum(ours.get(key) != theirs.get(key) for key in ours.keys() | theirs.keys())
    return differing
