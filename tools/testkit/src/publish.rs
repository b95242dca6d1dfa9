//! Publishing to a service, which is the same for every one of them.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::client::client;
use crate::server::Server;
use crate::soon::soon;

/// Publishes a text and returns its id.
///
/// # Panics
/// When the service does not take it, as the functions that follow.
pub async fn publish(server: &Server, topic: &str, text: impl Into<String>) -> String {
    publish_at(server.address(), topic, text).await
}

/// Publishes a text to the service at an address and returns the text's id.
pub async fn publish_at(address: SocketAddr, topic: &str, text: impl Into<String>) -> String {
    let request = client().post(format!("http://{address}/messages?topic={topic}")).body(text.into());
    let answer = soon(async { request.send().await?.error_for_status()?.json().await }).await;
    id(&answer.expect("the text is taken"))
}

/// Publishes texts one after the other and returns their ids.
pub async fn publish_each(server: &Server, topic: &str, texts: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for &text in texts {
        ids.push(publish(server, topic, text).await);
    }
    ids
}

/// Publishes texts, appended together, and returns their ids.
pub async fn publish_array(server: &Server, topic: &str, texts: &[impl AsRef<str>]) -> Vec<String> {
    let messages = texts.iter().map(|text| json!({ "text": text.as_ref() })).collect();
    publish_json(server, topic, &messages).await
}

/// Publishes an array of messages, appended together, and returns their ids.
pub async fn publish_json(server: &Server, topic: &str, messages: &Value) -> Vec<String> {
    let request = client().post(server.url(&format!("/messages?topic={topic}"))).json(messages);
    let answer = soon(async { request.send().await?.error_for_status()?.json().await }).await;
    let answer: Vec<Value> = answer.expect("the messages are taken");
    answer.iter().map(id).collect()
}

fn id(placed: &Value) -> String {
    placed["id"].as_str().expect("the answer has an id").to_owned()
}
