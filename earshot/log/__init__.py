"""The log: topics of keyed records, consumer groups and offsets, on Kafka, SQLite or in memory."""
