"""Tests of the edge: real client libraries against servers on loopback."""
