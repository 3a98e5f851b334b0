"""What the benchmarks share: servers as processes, a load generator, reports."""
