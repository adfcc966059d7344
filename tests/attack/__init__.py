"""Attacks, one file a threat of SECURITY.md. Each was seen to succeed once without its guard."""
