"""Settings of all tests."""

from hypothesis import HealthCheck, settings

# No deadline: the examples share two cores with other tests.
settings.register_profile("batchdrop", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
settings.load_profile("batchdrop")
