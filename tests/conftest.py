"""What holds for every test."""

from hypothesis import HealthCheck, settings

# No example may fail for want of time: machines are shared, and slow on some days. Each run tries the same examples;
# `--hypothesis-profile=searching` looks for others.
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("searching"), derandomize=True)
settings.load_profile("repeatable")

pytest_plugins = ["tests.faults.report"]
