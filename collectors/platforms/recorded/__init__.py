"""A recorded file as a source."""
