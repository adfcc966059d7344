"""Benchmarks: how fast, on which machine, by which command (see README.md)."""
