"""The SQL of offers: what is read for a decision, what is claimed, what is taken back."""
