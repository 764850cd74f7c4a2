"""The name of this process on a shared bus."""

import os
import re
import socket
from typing import Final

HOST: Final = socket.gethostname()


def is_pipeline(client: str) -> bool:
    """Whether a client of that name is a pipeline such as this one."""
    return re.fullmatch(r"fintrends-.*-\d+", client) is not None


def client_name() -> str:
    """Host and process, in the characters that Kafka's metrics allow: "fintrends-server1-4242"."""
    return f"fintrends-{re.sub('[^A-Za-z0-9._-]', '_', HOST)}-{os.getpid()}"
