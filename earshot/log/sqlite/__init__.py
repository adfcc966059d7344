"""The embedded log: durable topics and consumer groups in a folder, without a server."""
