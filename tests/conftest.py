"""What holds for every test."""

from hypothesis import HealthCheck, settings

# No example may fail for want of time: machines are shared, and slow on some days.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
