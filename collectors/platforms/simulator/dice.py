"""Chance that can be asked again: a number in, the same well mixed number out, for ever."""

from __future__ import annotations

_MASK = 2**64 - 1


def mix(number: int) -> int:
    """64 bits from `number`, evenly spread: the finaliser of SplitMix64 (Steele et al., 2014)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def share(bits: int) -> float:
    """The lowest 32 of `bits` as a number from 0 to just below 1."""
    return (bits & 0xFFFFFFFF) / 2**32
