"""What may be shown of a text or an error: no secrets, no control characters."""

import re
from collections.abc import Iterable
from typing import Final

from pipeline.model.text import clean

_SHORTEST: Final = 4
_URI_CREDENTIALS: Final = re.compile(r"(\w+://)[^/\s]+@")
_KEY_PARAMETER: Final = re.compile(r"((?:apikey|api_key|token|password|secret)=)[^&\s\"']+", re.IGNORECASE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets, credentials in URIs and the values of key parameters.

    What is shorter than four characters is a placeholder, and part of half the words there are.
    """
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "***")
    return _KEY_PARAMETER.sub(r"\1***", _URI_CREDENTIALS.sub(r"\1***@", text))


def is_expected(error: Exception) -> bool:
    """Whether it is one of the pipeline's own errors, whose message is a sentence for the user."""
    return type(error).__module__.startswith("pipeline.")


def sentence(error: Exception, secrets: Iterable[str] = ()) -> str:
    """What may be shown of an error."""
    text = str(error) if is_expected(error) else ": ".join(filter(None, (type(error).__name__, str(error))))
    return clean(redact(text, secrets))
