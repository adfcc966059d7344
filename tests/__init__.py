"""Tests: each reads as a sentence about behaviour."""
