"""The dispatcher: who answers, by when; takes back what is late; explains itself."""
