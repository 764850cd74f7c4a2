"""Classifies the notices that Alpha Vantage sends instead of data.

Their wording changes about once a year, and each of them sells something: the words of one notice stand in the sales
text of another. So a notice is read sentence by sentence. What is expensive to believe (the day is over, the plan lacks
it, the key is bad, the symbol is refused) is believed only if one whole sentence says it and every other one is a
greeting, a pointer or sales text. Nothing is learnt from a notice that is not clear.
"""

import re
from typing import Final, Literal

import msgspec

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

Claim = Literal["daily", "bad key", "demo", "full", "premium", "refused", "no function", "no articles"]

_CLAIMS: Final[tuple[tuple[Claim, str], ...]] = (
    (
        "daily",
        (
            r"(?:we have detected your api key as \S+ and )?"
            r"our standard api (?:rate limit|call frequency) is \d+ (?:api )?(?:requests|calls) per day"
        ),
    ),
    (
        "daily",
        (
            r"you have (?:reached|exceeded) (?:the|your|our) daily (?:api )?(?:rate |request |call )?limit"
            r"(?: of \d+ (?:api )?(?:requests|calls)(?: per day)?)?"
        ),
    ),
    ("bad key", r"the parameter apikey is invalid or missing"),
    ("demo", r"the demo api key is for demo purposes only"),
    ("full", r"the outputsize=full parameter value is a premium feature(?: for the \w+ endpoint)?"),
    ("premium", r"this is a premium endpoint(?: on your current plan)?"),
    ("premium", r"the sample data schema below is artificial and for illustration purposes only"),
    ("refused", r"invalid (?:api call|inputs)"),
    ("no function", r"this api function \(\w*\) does not exist"),
    ("no articles", r"no articles found"),
)
_GREETING: Final = re.compile(r"thank you for using alpha vantage")
_VERB: Final = (
    r"(?:subscrib\w+|subscribe|upgrad\w+|visit|contact|check|claim|refer|adjust|retry|try again|sign up|see|reach out)"
)
_POINTER: Final = re.compile(
    r"(?:(?:to|for|if|in order to) [^.]*?, ?)?(?:(?:you (?:may|can|could)|please|or|and|also) )*"
    rf"(?:consider )?{_VERB}\b.*"
    r"|it (?:should )?takes? (?:less|fewer) than \d+ seconds.*"
)
"""A sentence that sells something, or says where to read more: it means nothing."""
_TAIL: Final = re.compile(
    rf"\W+(?:and )?(?:(?:you (?:may|can|could)|please) (?:consider )?{_VERB}\b"
    r"|there are multiple ways to unlock premium endpoints\b).*"
)
"""The same at the end of a sentence that says something else."""
_PAUSE: Final = re.compile(
    r"per[- ](?:second|minute|hour)|call frequency|call volume|spread|optimi[sz]|burst|slow down|sparingly"
    r"|too (?:many|fast|often|frequent)|rate limit exceed"
)
_DOUBT: Final = re.compile(
    r"\b(?:again|back|retry) (?:later|soon|shortly|in )|temporar|maintenance|outage|unavailable|moment|overload|busy"
    r"|currently|for now|should not|do(?:es)? not apply"
)
"""Words by which even a sentence that is known may pass in a while."""
_ADDRESS: Final = re.compile(r"\(?(?:https?://|[\w.-]+@)?[\w-]+(?:\.[\w-]+)*\.(?:com?|herokuapp)\b[^\s)]*\)?")
_SAMPLE: Final = re.compile(r"premium|artificial|sample|illustration|demo")


class Notice(msgspec.Struct, frozen=True):
    """The keys that any reply may have. `message` is that of bulk quotes, beside sample data that is made up."""

    error: str | None = msgspec.field(name="Error Message", default=None)
    information: str | None = msgspec.field(name="Information", default=None)
    note: str | None = msgspec.field(name="Note", default=None)
    message: str | None = None

    @property
    def text(self) -> str | None:
        """What it says instead of data, None for nothing."""
        instead = [text for text in (self.error, self.information, self.note) if text]
        if self.message and (instead or _SAMPLE.search(self.message.lower())):
            instead.append(self.message)
        return "\n".join(instead) or None


def meaning_of(notice: Notice, function: str, ticker: str | None) -> AlphaVantageError | None:
    """The error that the notice stands for; None if it is none, or if it is not sure what it says."""
    text = _plain(notice.text or "")
    claims: set[Claim] = set()
    pause = unsure = False
    for sentence in _sentences(text):
        claim = _claim_of(sentence)
        if claim is not None:
            claims.add(claim)
        elif _POINTER.fullmatch(sentence) is None and _GREETING.fullmatch(sentence) is None:
            pause |= _PAUSE.search(sentence) is not None
            unsure = True
    if pause or (text and not claims and not unsure and "higher api call" in text):
        return BurstLimitError()
    if unsure or len(claims) != 1 or _DOUBT.search(text) is not None:
        return None
    return _error_of(claims.pop(), function, ticker)


def _error_of(claim: Claim, function: str, ticker: str | None) -> AlphaVantageError:
    match claim:
        case "daily":
            return DailyLimitError()
        case "bad key":
            return BadKeyError()
        case "demo":
            return DemoKeyError()
        case "full":
            return FullOutputNotInPlanError(function)
        case "premium":
            return NotInPlanError(function)
        case "refused":
            return UnknownSymbolError(ticker, function) if ticker else BadRequestError(function)
        case "no function":
            return BadRequestError(function)
        case "no articles":
            return NoArticlesError(function)


def _plain(text: str) -> str:
    """In lower case, with one line a paragraph, and without addresses, emphasis and quotation marks."""
    text = re.sub(r"[*\"“”]+", "", text.lower())
    return _ADDRESS.sub("", text)


def _sentences(text: str) -> list[str]:
    """Each without the mark at its end."""
    parts = re.split(r"(?<=[.!?;])\s+|\n+", text)
    return [sentence for part in parts if (sentence := " ".join(part.split()).rstrip(" .!?;"))]


def _claim_of(sentence: str) -> Claim | None:
    sentence = _TAIL.sub("", sentence, count=1)
    return next((claim for claim, pattern in _CLAIMS if re.fullmatch(pattern, sentence)), None)
