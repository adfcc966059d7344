"""The database: its schema, and how SQLite and PostgreSQL are opened and brought up to date."""
