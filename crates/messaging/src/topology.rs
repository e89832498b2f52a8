//! The exchanges, queues and bindings, made from the table of subscriptions.
//!
//! Each subscription has a quorum queue of its own name; a `retry.<queue>.<delay>` for each delay, whose messages go back
//! to the queue when their time is up; and `dlq.<queue>`. Every process declares everything before it publishes.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use serde_json::{Value, json};
use taskman_events::{Exchange, SUBSCRIPTIONS, Subscription};

use crate::{Config, Error, broker};

/// One argument of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Argument {
    Text(String),
    Number(i64),
}

/// One durable queue.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Queue {
    name: String,
    arguments: Vec<(&'static str, Argument)>,
}

/// Returns the name of the queue in which dead messages of `queue` wait for the table.
pub fn dead_letter_queue(queue: &str) -> String {
    format!("dlq.{queue}")
}

/// Returns the name of the queue in which messages of `queue` wait for `delay_ms`.
pub fn retry_queue(queue: &str, delay_ms: u64) -> String {
    format!("retry.{queue}.{}", spell(delay_ms))
}

/// Declares every exchange, queue and binding; repeating it changes nothing.
pub async fn declare_all(channel: &Channel, config: &Config) -> Result<(), Error> {
    for exchange in Exchange::ALL {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared =
            channel.exchange_declare(exchange.name().into(), ExchangeKind::Topic, options, FieldTable::default());
        broker::within(config.confirm_timeout(), "declare an exchange", declared).await?;
    }
    for subscription in SUBSCRIPTIONS {
        for queue in queues(subscription, config) {
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            let declared = channel.queue_declare(queue.name.as_str().into(), options, queue.table());
            broker::within(config.confirm_timeout(), "declare a queue", declared).await?;
        }
        for (exchange, pattern) in subscription.bindings {
            let bound = channel.queue_bind(
                subscription.queue.into(),
                exchange.name().into(),
                (*pattern).into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            );
            broker::within(config.confirm_timeout(), "bind a queue", bound).await?;
        }
    }
    Ok(())
}

/// Returns the same as a definitions file that RabbitMQ can import into `vhost`.
pub fn definitions(config: &Config, vhost: &str) -> Value {
    let exchanges: Vec<Value> = Exchange::ALL
        .iter()
        .map(|exchange| {
            json!({ "name": exchange.name(), "vhost": vhost, "type": "topic", "durable": true, "auto_delete": false,
                    "internal": false, "arguments": {} })
        })
        .collect();
    let mut queue_list = Vec::new();
    let mut bindings = Vec::new();
    for subscription in SUBSCRIPTIONS {
        queue_list.extend(queues(subscription, config).iter().map(|queue| {
            json!({ "name": queue.name, "vhost": vhost, "durable": true, "auto_delete": false,
                    "arguments": queue.json() })
        }));
        bindings.extend(subscription.bindings.iter().map(|(exchange, pattern)| {
            json!({ "source": exchange.name(), "vhost": vhost, "destination": subscription.queue,
                    "destination_type": "queue", "routing_key": pattern, "arguments": {} })
        }));
    }
    json!({ "exchanges": exchanges, "queues": queue_list, "bindings": bindings })
}

/// Lists the queues of a subscription: its own, those for retries, the one for dead letters.
fn queues(subscription: &Subscription, config: &Config) -> Vec<Queue> {
    let dead = dead_letter_queue(subscription.queue);
    let limit = Argument::Number(i64::from(config.delivery_limit));
    let mut queues = vec![
        Queue::new(subscription.queue.to_owned(), config).with("x-delivery-limit", limit).dead_lettering_to(&dead),
        Queue::new(dead.clone(), config),
    ];
    queues.extend(config.retry_delays_ms.iter().map(|delay| {
        Queue::new(retry_queue(subscription.queue, *delay), config)
            .with("x-message-ttl", Argument::Number(i64::try_from(*delay).unwrap_or(i64::MAX)))
            .dead_lettering_to(subscription.queue)
    }));
    queues
}

impl Queue {
    /// Starts a replicated queue that refuses messages when it is full, rather than dropping any.
    fn new(name: String, config: &Config) -> Self {
        Self { name, arguments: Vec::new() }
            .with("x-queue-type", Argument::Text("quorum".to_owned()))
            .with("x-overflow", Argument::Text("reject-publish".to_owned()))
            .with("x-max-length-bytes", Argument::Number(config.queue_max_bytes))
    }

    fn with(mut self, name: &'static str, value: Argument) -> Self {
        self.arguments.push((name, value));
        self
    }

    /// Moves dead messages through the default exchange, and keeps them until they have arrived.
    fn dead_lettering_to(self, queue: &str) -> Self {
        self.with("x-dead-letter-exchange", Argument::Text(String::new()))
            .with("x-dead-letter-routing-key", Argument::Text(queue.to_owned()))
            .with("x-dead-letter-strategy", Argument::Text("at-least-once".to_owned()))
    }

    fn table(&self) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in &self.arguments {
            let value = match value {
                Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
                Argument::Number(number) => AMQPValue::LongLongInt(*number),
            };
            table.insert((*name).into(), value);
        }
        table
    }

    fn json(&self) -> Value {
        self.arguments
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Argument::Text(text) => Value::from(text.as_str()),
                    Argument::Number(number) => Value::from(*number),
                };
                ((*name).to_owned(), value)
            })
            .collect()
    }
}

/// Spells a delay the short way: `5s`, `30m`, `250ms`.
fn spell(delay_ms: u64) -> String {
    match delay_ms {
        ms if ms > 0 && ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms > 0 && ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_spelled_as_people_say_them() {
        let names: Vec<String> =
            Config::default().retry_delays_ms.iter().map(|delay| retry_queue("audit.all", *delay)).collect();
        assert_eq!(names, ["retry.audit.all.5s", "retry.audit.all.30s", "retry.audit.all.5m", "retry.audit.all.30m"]);
        assert_eq!(retry_queue("audit.all", 250), "retry.audit.all.250ms");
    }

    #[test]
    fn no_queue_drops_messages_and_every_retry_leads_back() {
        let config = Config::default();
        for subscription in SUBSCRIPTIONS {
            let queues = queues(subscription, &config);
            assert_eq!(queues.len(), 2 + config.retry_delays_ms.len());
            for queue in &queues {
                assert_eq!(queue.json()["x-overflow"], "reject-publish", "{}", queue.name);
                let strategy = queue.json()["x-dead-letter-strategy"].clone();
                assert!(strategy == "at-least-once" || queue.name.starts_with("dlq."), "{}", queue.name);
            }
            for retry in queues.iter().filter(|queue| queue.name.starts_with("retry.")) {
                assert_eq!(retry.json()["x-dead-letter-routing-key"], subscription.queue);
            }
        }
    }

    #[test]
    fn the_definitions_name_every_binding() {
        let definitions = definitions(&Config::default(), "/");
        let bindings: usize = SUBSCRIPTIONS.iter().map(|subscription| subscription.bindings.len()).sum();
        assert_eq!(definitions["bindings"].as_array().unwrap().len(), bindings);
        assert_eq!(definitions["exchanges"].as_array().unwrap().len(), Exchange::ALL.len());
    }
}
