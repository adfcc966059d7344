"""One item: its conversation, its history, its labels."""
