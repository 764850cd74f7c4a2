"""What the server says when it refuses: of a document, or altogether."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError, ServerSelectionTimeoutError

from pipeline.model.text import clean
from pipeline.system.tls import why_refused

DUPLICATE_KEY: Final = 11000
REFUSED: Final = frozenset(
    {
        2,  # BadValue
        9,  # FailedToParse
        14,  # TypeMismatch
        52,  # DollarPrefixedFieldName
        55,  # InvalidDBRef
        56,  # EmptyFieldName
        57,  # DottedFieldName
        61,  # ShardKeyNotFound
        66,  # ImmutableField
        121,  # DocumentValidationFailure
        171,  # CannotIndexParallelArrays
        16755,  # no geometry, for an index of geometries
        16766,  # an array, for a hashed index
        10334,  # BSONObjectTooLarge
        17280,  # KeyTooLong
        17419,  # too large after the update
        17420,  # too large for an upsert
    }
)
"""Errors that are about the document itself, so that no second try would go better. All others are the server's."""
_REASON_LIMIT: Final = 400
_ADVICE: Final[Mapping[int, str]] = {
    8000: "it refuses the user name or password; check the URI and its authSource",  # Atlas
    13: "this user may not do that; grant it the role readWrite on the database",
    18: "it refuses the user name or password; check the URI and its authSource",
    14031: "its disk is full; free some space there",
}
REFUSALS: Final = frozenset({8000, 13, 18})
"""Those of them that only a person can change."""


def is_of_key(failure: Mapping[str, Any]) -> bool:
    """Whether a document of the same key is in the way, and not a rule that the database's owner has made."""
    if failure["code"] != DUPLICATE_KEY:
        return False
    keys = failure.get("keyPattern")
    return _index_of(failure) == "_id_" if keys is None else set(keys) == {"_id"}


def _index_of(failure: Mapping[str, Any]) -> str:
    found = re.search(r"index: (?:\S*\$)?(\S+)", failure["errmsg"])
    return found[1] if found else "_id_"


def reason_of(failure: Mapping[str, Any]) -> str:
    """Why a document is refused that no second try would get in."""
    if failure["code"] == DUPLICATE_KEY:
        keys = ", ".join(failure.get("keyPattern") or ())
        return f"another document has the same values in the unique index {_index_of(failure)} ({keys or 'of its own'})"
    details = (failure.get("errInfo") or {}).get("details")
    words = "" if details is None else f": {json.dumps(details, default=str)}"
    return clean(f"{failure['errmsg']} (code {failure['code']}){words}", _REASON_LIMIT)


def refused_by_tls(error: PyMongoError) -> str | None:
    """Which question of certificates keeps the driver from its servers, if one does."""
    if not isinstance(error, ServerSelectionTimeoutError):
        return None
    return why_refused(str(error), "tlsCAFile", "tlsCertificateKeyFile")


def code_of(error: PyMongoError) -> int | None:
    """The server's own number for it; None where the server has not answered."""
    if isinstance(error, BulkWriteError):
        return int(first_of(error)["code"])
    return error.code if isinstance(error, OperationFailure) else None


def first_of(error: BulkWriteError) -> Mapping[str, Any]:
    """Of all that has gone wrong, the first that is not about a document."""
    failures = [*error.details.get("writeErrors", ()), *error.details.get("writeConcernErrors", ())]
    return next((f for f in failures if f["code"] not in {*REFUSED, DUPLICATE_KEY}), failures[0])


def advice(error: PyMongoError) -> str:
    """What to do about it. Never the whole text of an error, which repeats documents."""
    if isinstance(error, BulkWriteError):
        first = first_of(error)
        return _ADVICE.get(first["code"], f"{first['errmsg']} (code {first['code']})")
    if isinstance(error, OperationFailure) and error.code is not None:
        reason = (error.details or {}).get("errmsg", "it refuses")
        return _ADVICE.get(error.code, f"{reason} (code {error.code})")
    if refused := refused_by_tls(error):
        return refused
    if isinstance(error, ServerSelectionTimeoutError):
        if "EOF occurred" in str(error):
            return (
                "it breaks off TLS connections; check whether it has TLS, and whether it asks for tlsCertificateKeyFile"
            )
        return "there is no connection; is it running, and are address and TLS settings right?"
    if error.timeout:
        return "it did not answer in time; is it running and reachable?"
    return f"{type(error).__name__}; is it running and reachable?"
