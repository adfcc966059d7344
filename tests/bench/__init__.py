"""Tests of the benchmarks: what is measured must be what the product makes."""
