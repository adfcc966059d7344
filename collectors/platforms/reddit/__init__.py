"""Reddit through praw."""
