"""Bluesky: Jetstream in, the account's own server out."""
