"""What holds for every test: the rules of `tests/rules`, and how Hypothesis runs.

Each rule is a plugin with its own test in `tests/unit/rules`.
"""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "pytester",  # for the tests of the rules themselves
    "tests.rules.blocking",
    "tests.rules.loopback",
    "tests.rules.skips",
    "tests.rules.stages",
    "tests.rules.tasks",
]

# No deadline and no measure of slowness: on two busy cores they measure the neighbours. In CI the same examples at
# every run, so that a red build is red for its commit; finding new ones is the work of developers' machines.
QUICK = [HealthCheck.too_slow]
settings.register_profile("developer", deadline=None, suppress_health_check=QUICK)
settings.register_profile("ci", deadline=None, suppress_health_check=QUICK, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "developer")
