"""What holds for every test: the rules of `tests/rules`, and how Hypothesis runs.

Each rule is a plugin with its own test in `tests/unit/rules`.
"""

import os

from hypothesis import settings

pytest_plugins = [
    "pytester",  # for the tests of the rules themselves
    "tests.rules.blocking",
    "tests.rules.loopback",
    "tests.rules.skips",
    "tests.rules.tasks",
]

# No deadline: on two busy cores it measures the neighbours. In CI the same examples at every run, so that a
# red build is red for its commit; finding new examples is the work of developers' machines and `make soak`.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "developer")
