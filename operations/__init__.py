"""Above the stages: the command line that composes them, and their upkeep."""
