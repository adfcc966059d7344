"""Tests of the classifier: its laws, its file format, its figures."""
