"""The judge: a mention becomes a classification."""
