"""Servers on loopback that speak the platforms' documented protocols, for anybody's tests."""
