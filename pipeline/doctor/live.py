"""What the pipeline that runs on the data directory says of itself, which need not be what the settings say."""

import asyncio
from typing import Final

import msgspec

from pipeline import __version__
from pipeline.contract.protocol import (
    MAX_FRAME,
    PROTOCOL_VERSION,
    Hello,
    Push,
    ServerFrame,
    Welcome,
    encode_frame,
)
from pipeline.contract.snapshot import PipelineView
from pipeline.doctor.finding import Finding, ok
from pipeline.storage.datadir import DataDir

_PATIENCE: Final = 5.0
_decoder: Final = msgspec.json.Decoder(ServerFrame)


async def told(data_dir: DataDir, patience: float = _PATIENCE) -> PipelineView | None:
    """None if no pipeline runs there, or it does not answer within so many seconds."""
    hello = Hello(PROTOCOL_VERSION, f"fintrends-tui doctor {__version__}", snapshots=True)
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_unix_connection(data_dir.socket, limit=MAX_FRAME)
            try:
                writer.write(encode_frame(hello))
                if not isinstance(_decoder.decode(await reader.readline()), Welcome):
                    return None
                pushed = _decoder.decode(await reader.readline())
            finally:
                writer.close()
    except (OSError, ValueError):  # TimeoutError is one of the former, what cannot be decoded one of the latter
        return None
    return pushed.snapshot.pipeline if isinstance(pushed, Push) else None


def described(pipeline: PipelineView) -> Finding:
    """What it runs on now."""
    return ok(f"its source: {pipeline.source_note}; its bus: {pipeline.bus}; its store: {pipeline.store}")
