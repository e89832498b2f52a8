//! The mail server, behind its breaker.

use std::time::Duration;

use anyhow::Context as _;
use lettre::message::{Mailbox, MultiPart, header};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::response::Category;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;
use taskman_ids::NotificationId;
use taskman_resilience::{Gate, Rejected};

use crate::config::Smtp;
use crate::domain::notification::Setback;
use crate::domain::template::Rendered;

/// Sends mails, each over a connection of its own: one that was given up in the middle of a dialogue is never used again.
/// Clones share the breaker.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    gate: Gate,
    timeout: Duration,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailer")
    }
}

impl Mailer {
    /// Prepares the mailer; nothing is connected yet.
    pub fn new(config: &Smtp) -> anyhow::Result<Self> {
        let timeout = Duration::from_millis(config.timeout_ms);
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(config.url.expose_secret())
            .ok()
            .context("service.smtp.url is no address of a mail server")?
            .timeout(Some(timeout))
            .build();
        let from = config.from.parse().ok().context("service.smtp.from is no mailbox")?;
        Ok(Self { transport, from, gate: Gate::new("notification", "smtp"), timeout })
    }

    /// Hands a mail to the mail server. The message id is made from the notification's, so that a mail which had to be
    /// sent twice can be told by its receiver.
    pub async fn send(&self, id: NotificationId, to: &str, mail: Rendered) -> Result<(), Setback> {
        let message = self.message(id, to, mail).ok_or(Setback::Permanent("address_invalid"))?;
        let sending = tokio::time::timeout(self.timeout, self.transport.send(message));
        // What the server refuses, for now or for good, it has at least answered: that is no outage of the server.
        let is_outage = |error: &Refused| !matches!(error, Refused::ForNow | Refused::ForGood | Refused::Address);
        let sent = self.gate.run(is_outage, async {
            match sending.await {
                Ok(Ok(_)) => Ok(()),
                // An address beyond ASCII needs a server that takes such (RFC 6531).
                Ok(Err(error)) if error.is_client() && !to.is_ascii() => Err(Refused::Address),
                Ok(Err(error)) => Err(Refused::from(&error)),
                Err(_elapsed) => Err(Refused::NoAnswer),
            }
        });
        sent.await.map_err(|rejected| match rejected {
            Rejected::Failed(Refused::ForGood) => Setback::Permanent("mail_server_refused"),
            Rejected::Failed(Refused::Address) => Setback::Permanent("address_not_supported"),
            Rejected::Failed(Refused::Login) => Setback::Temporary("mail_server_refused_login"),
            Rejected::Failed(Refused::ForNow) => Setback::Temporary("mail_server_busy"),
            Rejected::Failed(Refused::NoAnswer) | Rejected::Open { .. } => {
                Setback::Temporary("mail_server_unavailable")
            }
        })
    }

    fn message(&self, id: NotificationId, to: &str, mail: Rendered) -> Option<Message> {
        let domain = self.from.email.domain();
        Message::builder()
            .from(self.from.clone())
            .to(to.parse().ok()?)
            .message_id(Some(format!("<{id}@{domain}>")))
            .subject(mail.subject)
            .header(header::MIME_VERSION_1_0)
            .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))
            .ok()
    }
}

/// Why the mail server did not take a mail.
#[derive(Debug)]
enum Refused {
    ForNow,
    ForGood,
    /// It cannot write to such an address.
    Address,
    /// It does not let us in: a fault of the configuration, which would cost every mail until somebody mends it.
    Login,
    NoAnswer,
}

impl From<&SmtpError> for Refused {
    fn from(error: &SmtpError) -> Self {
        // 530, 534, 535 and 538 are about who we are, not about the mail (RFC 4954).
        if error.is_permanent() && error.status().is_some_and(|code| code.category == Category::Unspecified3) {
            Self::Login
        } else if error.is_permanent() {
            Self::ForGood
        } else if error.is_transient() {
            Self::ForNow
        } else {
            Self::NoAnswer
        }
    }
}
