"""The desk: people triage, answer and measure."""
