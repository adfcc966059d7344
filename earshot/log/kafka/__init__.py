"""The log on Apache Kafka, through kafka-python. Nothing outside this package imports that library.

Its defaults that would lose or delay records are all set here. It has no bound on what it
buffers and may lose track of a record for ever: `earshot.log.kafka.in_flight` has one. Each
record costs it far more than a message is worth: `earshot.log.kafka.pack` can put many into one.
"""
