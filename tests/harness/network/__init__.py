"""Networks of our own for tests: hosts in network namespaces, and bad lines between them. Needs no root.

A test makes a `Lab`, hosts in it, and interfaces on each host. All packets between hosts go through one process
(`forwarder`), which loses, delays and reorders them as the test says, while it runs. Addresses are private to the
lab: nothing in it can reach the real network, and nothing outside can reach it but through `Lab.relay`.
"""

from tests.harness.network.lab import Host, Interface, Lab, LabUnavailable
from tests.harness.network.line import GOOD, Line

__all__ = ["GOOD", "Host", "Interface", "Lab", "LabUnavailable", "Line"]
