"""Two producer processes on the same tickers and one Kafka: each ticker has one producer at a time."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import msgspec

from fintrends_tui.client import connect
from pipeline.bus.kafka import KafkaBus
from pipeline.bus.kafka_options import KafkaOptions
from pipeline.datadir import DataDir
from pipeline.protocol import Restart
from tests.data import BARS, require
from tests.e2e.recorded import TICKERS, check_store
from tests.e2e.run import Product
from tests.engines.fixtures import bootstrap, mongodb_uri
from tests.engines.kafka import KRaftKafka
