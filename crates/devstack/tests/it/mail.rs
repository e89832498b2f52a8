//! The mail catcher, as a mail client and as a browser see it.

use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, message::MultiPart, transport::smtp::Error};
use serde_json::{Value, json};
use taskman_devstack::{Fault, MailCatcher};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::directory;

#[tokio::test]
async fn a_mail_is_listed_with_both_bodies_and_by_recipient() {
    let dir = directory();
    let catcher = MailCatcher::start(dir.path()).await.unwrap();
    send(&catcher, "ann@example.com", "Grüße <b>").await.unwrap();
    send(&catcher, "bob@example.com", "Second").await.unwrap();

    let all = get(&catcher, "/api/messages").await;
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(all[1]["subject"], "Second", "newest last");
    let hers = get(&catcher, "/api/messages?to=ANN@example.com").await;
    let mail = &hers[0];
    assert_eq!((&mail["subject"], &mail["from"]), (&json!("Grüße <b>"), &json!("noreply@example.com")));
    assert_eq!((&mail["to"], hers.as_array().unwrap().len()), (&json!(["ann@example.com"]), 1));
    assert_eq!(mail["text"].as_str().unwrap().trim(), "plain");
    assert_eq!(mail["html"].as_str().unwrap().trim(), "<script>rich</script>");
    assert!(mail["headers"]["Content-Type"].as_str().unwrap().starts_with("multipart/alternative"));
    assert_eq!(get(&catcher, &format!("/api/messages/{}", mail["id"])).await, *mail);

    let page = reqwest::get(catcher.url()).await.unwrap().text().await.unwrap();
    assert!(page.contains("Grüße &lt;b&gt;") && !page.contains("<script>"));

    let cleared = reqwest::Client::new().delete(format!("{}/api/messages", catcher.url())).send().await.unwrap();
    assert_eq!(cleared.status(), 204);
    assert_eq!(get(&catcher, "/api/messages").await, json!([]));
}

#[tokio::test]
async fn the_next_mails_are_refused_on_request() {
    let dir = directory();
    let catcher = MailCatcher::start(dir.path()).await.unwrap();
    let fault = |code: u16, count: u32| {
        let request = reqwest::Client::new().post(format!("{}/api/faults", catcher.url()));
        request.json(&Fault { smtp_code: code, count }).send()
    };
    assert_eq!(fault(451, 2).await.unwrap().status(), 204);
    for _ in 0..2 {
        let refusal = send(&catcher, "ann@example.com", "x").await.unwrap_err();
        assert!(refusal.is_transient() && refusal.status().is_some_and(|code| code.to_string() == "451"));
    }
    send(&catcher, "ann@example.com", "third").await.unwrap();
    assert_eq!(catcher.messages_to("ann@example.com").len(), 1);

    assert_eq!(fault(550, 1).await.unwrap().status(), 204);
    assert!(send(&catcher, "ann@example.com", "x").await.unwrap_err().is_permanent());
    assert_eq!(fault(250, 1).await.unwrap().status(), 422);
}

#[tokio::test]
async fn a_mail_over_one_mebibyte_is_refused() {
    let dir = directory();
    let catcher = MailCatcher::start(dir.path()).await.unwrap();
    let mut stream = BufReader::new(TcpStream::connect(catcher.smtp_addr()).await.unwrap());
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    for command in ["HELO a.test", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA"] {
        stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        stream.read_line(&mut line).await.unwrap();
    }
    let text = format!("{}\r\n", "x".repeat(998)).repeat(1_100);
    stream.write_all(format!("{text}.\r\n").as_bytes()).await.unwrap();
    line.clear();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("552 "), "{line}");
    assert!(catcher.messages().is_empty());
}

#[tokio::test]
async fn a_stopped_catcher_refuses_connections_and_restarts_on_its_ports_with_its_mails() {
    let dir = directory();
    let mut catcher = MailCatcher::start(dir.path()).await.unwrap();
    send(&catcher, "ann@example.com", "kept").await.unwrap();
    let address = catcher.smtp_addr();
    catcher.stop().await;
    assert!(!catcher.is_running());
    assert!(TcpStream::connect(address).await.is_err());
    catcher.restart().await.unwrap();
    assert_eq!(catcher.smtp_addr(), address);
    send(&catcher, "ann@example.com", "after").await.unwrap();
    assert_eq!(catcher.messages().len(), 2);
}

async fn get(catcher: &MailCatcher, path: &str) -> Value {
    let response = reqwest::get(format!("{}{path}", catcher.url())).await.unwrap();
    response.error_for_status().unwrap().json().await.unwrap()
}

async fn send(catcher: &MailCatcher, to: &str, subject: &str) -> Result<(), Error> {
    let mail = Message::builder()
        .from("noreply@example.com".parse().unwrap())
        .to(to.parse().unwrap())
        .subject(subject)
        .multipart(MultiPart::alternative_plain_html("plain".to_owned(), "<script>rich</script>".to_owned()))
        .unwrap();
    let address = catcher.smtp_addr();
    let client = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string()).port(address.port());
    client.build().send(mail).await.map(drop)
}
