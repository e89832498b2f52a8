//! RabbitMQ: topology, outbox, relay, inbox, consumers, retry and dead letters.
