"""Which columns a table is to have, and in which order, while somebody chooses. Pure; knows no widget."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class ColumnChoice:
    """`titles` are all there are, in the order wanted; those `shown` are the ones chosen."""

    titles: tuple[str, ...]
    shown: frozenset[str]

    @classmethod
    def of(cls, chosen: Sequence[str], all_: Iterable[str]) -> Self:
        """With the chosen ones first."""
        known = tuple(all_)
        first = tuple(title for title in dict.fromkeys(chosen) if title in known)
        return cls((*first, *(title for title in known if title not in first)), frozenset(first))

    @property
    def chosen(self) -> list[str]:
        return [title for title in self.titles if title in self.shown]

    def toggled(self, title: str) -> Self:
        """With this one, or without it."""
        return replace(self, shown=self.shown ^ {title})

    def moved(self, title: str, by: int) -> Self:
        """With this one so many places on, as far as there are places."""
        rest = [other for other in self.titles if other != title]
        rest.insert(max(0, min(self.titles.index(title) + by, len(rest))), title)
        return replace(self, titles=tuple(rest))
