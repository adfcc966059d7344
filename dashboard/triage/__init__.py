"""The listener's work: what nobody has decided on yet."""
