//! The mails that were caught, bounded, and the fault that is injected.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use mail_parser::{MessageParser, PartType};
use serde::{Deserialize, Serialize};
use taskman_clock::{Clock, SystemClock};

/// The newest mails that are kept.
const KEPT: usize = 1_000;

/// One caught mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Counts up from 1.
    pub id: u64,
    /// The sender of the envelope; empty for a bounce.
    pub from: String,
    /// The recipients of the envelope, blind copies included.
    pub to: Vec<String>,
    /// The decoded subject; empty without one.
    pub subject: String,
    /// The plain text, made from the HTML where there is no other.
    pub text: String,
    /// The HTML, where there is one.
    pub html: Option<String>,
    /// When the mail was complete.
    pub received_at: DateTime<Utc>,
    /// All headers as they were sent, unfolded; repeated ones are joined with a comma.
    pub headers: BTreeMap<String, String>,
}

/// What the next mails get for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The SMTP code, 400 to 599; 421 also closes the connection.
    pub smtp_code: u16,
    /// How many mails are refused before the next one is accepted.
    pub count: u32,
}

/// What the SMTP side fills and the pages show.
#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Message>,
    received: u64,
    fault: Option<Fault>,
}

impl Inbox {
    /// Keeps a mail; the oldest one goes where there are too many.
    pub(super) fn add(&self, from: &str, to: &[String], raw: &[u8]) {
        let mut message = parse(raw);
        from.clone_into(&mut message.from);
        to.clone_into(&mut message.to);
        message.received_at = SystemClock.now();
        let mut state = self.lock();
        state.received += 1;
        message.id = state.received;
        state.messages.push_back(message);
        if state.messages.len() > KEPT {
            state.messages.pop_front();
        }
    }

    /// Returns the mails, of one recipient where given, newest last.
    pub(super) fn list(&self, recipient: Option<&str>) -> Vec<Message> {
        let is_wanted = |message: &Message| {
            recipient.is_none_or(|wanted| message.to.iter().any(|to| to.eq_ignore_ascii_case(wanted)))
        };
        self.lock().messages.iter().filter(|message| is_wanted(message)).cloned().collect()
    }

    /// Returns one mail, unless it is unknown or gone.
    pub(super) fn find(&self, id: u64) -> Option<Message> {
        self.lock().messages.iter().find(|message| message.id == id).cloned()
    }

    /// Forgets all mails; ids go on counting.
    pub(super) fn clear(&self) {
        self.lock().messages.clear();
    }

    /// Replaces the fault.
    pub(super) fn set_fault(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    /// Returns the code that the mail that begins now is to be refused with.
    pub(super) fn refusal(&self) -> Option<u16> {
        let mut state = self.lock();
        let fault = state.fault.as_mut().filter(|fault| fault.count > 0)?;
        fault.count -= 1;
        Some(fault.smtp_code)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(raw: &[u8]) -> Message {
    let parsed = MessageParser::default().parse(raw).unwrap_or_default();
    let html = parsed.html_bodies().find_map(|part| match &part.body {
        PartType::Html(html) => Some(html.to_string()),
        _ => None,
    });
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in parsed.headers_raw() {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        headers
            .entry(name.to_owned())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.clone());
    }
    Message {
        id: 0,
        from: String::new(),
        to: Vec::new(),
        subject: parsed.subject().unwrap_or_default().to_owned(),
        text: parsed.body_text(0).unwrap_or_default().into_owned(),
        html,
        received_at: DateTime::UNIX_EPOCH,
        headers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_mails_are_kept() {
        let inbox = Inbox::default();
        for _ in 0..=KEPT {
            inbox.add("a@example.com", &[], b"Subject: x\r\n\r\nbody\r\n");
        }
        let kept = inbox.list(None);
        assert_eq!((kept.len(), kept[0].id), (KEPT, 2));
    }

    #[test]
    fn both_parts_and_the_decoded_subject_are_read() {
        let raw = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-A: 1\r\nX-A: 2\r\n\
            Content-Type: multipart/alternative; boundary=b\r\n\r\n\
            --b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n--b--\r\n";
        let message = parse(raw.as_bytes());
        assert_eq!(message.subject, "Grüße");
        assert_eq!(message.text.trim(), "plain");
        assert_eq!(message.html.as_deref().map(str::trim), Some("<p>rich</p>"));
        assert_eq!(message.headers["X-A"], "1, 2");
    }

    #[test]
    fn a_fault_ends_after_its_count() {
        let inbox = Inbox::default();
        inbox.set_fault(Fault { smtp_code: 451, count: 2 });
        assert_eq!([inbox.refusal(), inbox.refusal(), inbox.refusal()], [Some(451), Some(451), None]);
    }
}
