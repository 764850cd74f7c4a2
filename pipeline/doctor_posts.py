"""What the doctor checks of the sources of posts."""

from pipeline.doctor_finding import Finding, ok, warning
from pipeline.settings import Loaded


def reddit(loaded: Loaded) -> Finding:
    """Whether there are credentials for Reddit: both halves, or none."""
    settings = loaded.settings.reddit
    given = {"client_id": settings.client_id, "client_secret": settings.client_secret}
    missing = [key for key, value in given.items() if not value]
    if not missing:
        return ok("Reddit credentials are configured; whether Reddit takes them shows at the first request")
    if len(missing) == len(given):
        return ok("no Reddit credentials are configured, so there are no posts from Reddit")
    cause = f"reddit.{missing[0]} is missing, so there are no posts from Reddit"
    mend = (
        f"export REDDIT_{missing[0].upper()}=… (an application of the kind script, https://www.reddit.com/prefs/apps)"
    )
    return warning("the Reddit credentials are incomplete", cause, mend)
