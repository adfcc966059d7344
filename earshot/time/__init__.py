"""The shared clock, and business hours. The package `time` of the standard library is another."""
