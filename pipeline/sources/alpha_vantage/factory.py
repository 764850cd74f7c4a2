"""Alpha Vantage as the registry makes it."""

from pipeline.sources import alpha_vantage
from pipeline.sources.base import Source, SourceContext


def create(context: SourceContext) -> Source:
    """See `pipeline.sources.alpha_vantage.create`.

    Raises:
        SourceError: if there is no key.
    """
    return alpha_vantage.create(context.settings, context.data_dir, context.clock, context.http)
