"""`fintrends-tui web`."""

import asyncio
import importlib.util
from typing import Annotated, Final

from cyclopts import Group, Parameter, validators

from fintrends_tui.link.process import PipelineLink
from fintrends_tui.web import admission
from pipeline.config.cli_options import RUN_DEFAULTS, RunFlags
from pipeline.config.settings import load
from pipeline.config.where import Where, hand_over
from pipeline.model.tickers import parse_tickers
from pipeline.storage.datadir import DataDir
from pipeline.system import streams

EPILOGUE: Final = """
Examples:

  fintrends-tui web AAPL MSFT             open the address that it prints
  fintrends-tui web --write               those who look may also change things
  fintrends-tui web --origin https://dash.example.com --base-path /markets
                                          behind a proxy with TLS and users
"""
_NEEDED: Final = ("aiohttp", "textual_serve")
_GROUP: Final = Group("Browser", sort_key=0)


def web(
    *tickers: str,
    port: Annotated[int, Parameter(group=_GROUP, validator=validators.Number(gte=0, lte=65535))] = 8642,
    host: Annotated[str, Parameter(group=_GROUP)] = "127.0.0.1",
    write: Annotated[bool, Parameter(group=_GROUP, negative="", show_default=False)] = False,
    base_path: Annotated[str, Parameter(group=_GROUP)] = "/",
    origin: Annotated[tuple[str, ...], Parameter(group=_GROUP, negative="", show_default=False)] = (),
    new_token: Annotated[bool, Parameter(group=_GROUP, negative="", show_default=False)] = False,
    expose: Annotated[bool, Parameter(group=_GROUP, negative="", show_default=False)] = False,
    flags: RunFlags = RUN_DEFAULTS,
) -> int:
    """Show the dashboard in a browser on this machine, read-only. It starts a pipeline, or attaches to the running one.

    It prints the address to open, with a token that lets in whoever has it. Each page has a screen of its own. Ctrl+C
    ends the server, and the pipeline if it was started here.

    Parameters
    ----------
    tickers
        What to watch, such as AAPL MSFT BRK.B ^GSPC. Default: those of the configuration, else the last ones.
    port
        Where to listen; 0 takes any free one.
    host
        The address to listen on: one of this machine's own, unless --expose is given.
    write
        Let those who look add and remove tickers, pause, purge and do whatever else the keys do.
    base_path
        The path the page is under, behind a proxy that passes it on.
    origin
        Scheme and host that a proxy serves the page under; may be given several times.
    new_token
        Make a new token; addresses given out before work no more.
    expose
        Listen on an address that other machines reach. There is no encryption: the token can be read on the way.
    """
    symbols = parse_tickers(tickers)
    if missing := [name.replace("_", "-") for name in _NEEDED if importlib.util.find_spec(name) is None]:
        return _fail(f"the server for browsers needs {' and '.join(missing)}: pip install 'fintrends-tui[web]'", 1)
    try:
        origins = frozenset(map(admission.checked_origin, origin))
        path = admission.checked_base_path(base_path)
        is_private = admission.is_loopback(host)
    except admission.AdmissionError as error:
        return _fail(str(error), 2)
    if not is_private and not expose:
        return _fail(
            f"other machines can reach {host}, and nothing that is sent there is encrypted: whoever listens on the way "
            "can read the token, and look. Put a proxy with TLS in front of 127.0.0.1 (docs/web.md), or accept it with "
            "--expose",
            2,
        )
    if not is_private:
        streams.remark(f"warning: other machines can reach {host}, and nothing that is sent there is encrypted")
    if write:
        streams.remark("warning: with --write, whoever has the address can change the pipeline and delete its data")
    hand_over(flags)
    loaded = load(flags.config, flags.with_tickers(tickers))
    from fintrends_tui.web.serving import WebOptions, serve, token_of

    data_dir = DataDir(loaded.data_dir)
    where = Where.arguments(flags)
    token = token_of(data_dir, new=new_token)
    link = PipelineLink(data_dir, where, symbols, flags.run_arguments())
    return asyncio.run(serve(WebOptions(host, port, path, origins, write, where), link, token, symbols))


def _fail(sentence: str, status: int) -> int:
    streams.complain(sentence)
    return status
