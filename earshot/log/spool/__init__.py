"""What the log can't take now, kept on this machine's disk until it can."""
