"""What is read of a post: its text in one shape, its tokens, its language and script."""
