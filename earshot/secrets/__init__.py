"""Platform credentials at rest: sealed, under keys that stand elsewhere."""
