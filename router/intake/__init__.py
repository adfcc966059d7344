"""What a classified mention changes: of its item, and in the database."""
