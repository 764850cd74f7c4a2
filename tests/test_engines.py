"""Which engines the settings come to."""

from pathlib import Path

from pipeline.config.settings import load
from pipeline.engines import choose_kafka, choose_store
from pipeline.storage.datadir import DataDir
from pipeline.store.mongo.store import MongoStore


def test_they_are_given_up_after_the_time_that_is_set(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[kafka]\nbootstrap_servers = "h:1"\nrequest_timeout = 3\n[mongodb]\nuri = "mongodb://h"\nrequest_timeout = 4\n'
    )
    config.chmod(0o600)
    settings = load(config, {}, environ={}).settings
    assert choose_kafka(settings).timeout == 3
    store = choose_store(settings, DataDir(tmp_path))
    assert isinstance(store, MongoStore) and store._timeout == 4
