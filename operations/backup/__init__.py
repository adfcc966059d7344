"""Backups of a running installation, and putting one back."""
