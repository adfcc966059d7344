"""Tests of the judge: its laws, its file format, its figures."""
