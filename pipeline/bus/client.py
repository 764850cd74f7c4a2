"""What this process is called on a bus that others use too."""

import os
import re
import socket
from typing import Final

HOST: Final = socket.gethostname()


def client_name() -> str:
    """Host and process, in the characters that Kafka's metrics allow: "fintrends-server1-4242"."""
    return f"fintrends-{re.sub('[^A-Za-z0-9._-]', '_', HOST)}-{os.getpid()}"
