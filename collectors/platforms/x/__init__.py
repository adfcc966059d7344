"""X through tweepy."""
