"""An installation of an earlier release, and its upgrade as the how-to describes it."""
