"""The ratios of docs/benchmarks.md: what is measured beside what arithmetic allows, all by one command."""
