//! Publishing to a service, as every one of them takes it.

use reqwest::Client;
use serde_json::Value;

use crate::{Server, soon};

/// Publishes a text and returns its id.
///
/// # Panics
/// When it is not taken.
pub async fn publish(server: &Server, topic: &str, text: impl Into<String>) -> String {
    let request = Client::new().post(server.url(&format!("/messages?topic={topic}"))).body(text.into());
    let answer = soon(async { request.send().await?.error_for_status()?.json().await }).await;
    let answer: Value = answer.expect("the text is taken");
    answer["id"].as_str().expect("the answer has an id").to_owned()
}

/// Publishes texts one after the other and returns their ids.
///
/// # Panics
/// When one is not taken.
pub async fn publish_each(server: &Server, topic: &str, texts: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for &text in texts {
        ids.push(publish(server, topic, text).await);
    }
    ids
}
