"""Earshot's kernel: what two or more stages need, and nothing else."""

__version__ = "0.2.0.dev0"
