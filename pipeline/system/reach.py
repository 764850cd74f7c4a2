"""Whether an address can be reached from here, and the system's reason if not."""

import asyncio
import socket


async def why_unreachable(host: str, port: int, seconds: float) -> OSError | None:
    """What stands in the way of a connection; `TimeoutError` if there is no answer in time, None if there is one."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except UnicodeError as error:  # of a name that cannot be a host's
        return socket.gaierror(str(error))
    except OSError as error:  # TimeoutError is one
        return error
    writer.close()
    return None
