"""What the sending shell decides and keeps: the outbox, its rules and its outcomes."""
