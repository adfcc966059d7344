"""Which of a brand's queries a post matches, and whether it speaks to the brand. Pure."""
