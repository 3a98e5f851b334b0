"""What people see of a running Sightline: logs and metrics."""
