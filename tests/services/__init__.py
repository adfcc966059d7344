"""Real services that tests start, stop and kill."""
