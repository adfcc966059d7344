"""The responder's work: a queue by deadline, and a reply."""
