//! The history of a topic, read from its beginning, page by page.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use http_body_util::Full;
use hyper::Request;
use serde::Deserialize;

use crate::http::{Connection, read_body};

/// The longest time until an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to read the history of a topic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The path of a page, with its query; `{topic}` is the topic, and `{position}` where the page begins.
    pub path: String,
    /// The position of the oldest message.
    pub first: String,
    /// The place of the next page's position in an answer.
    pub next: Next,
}

/// The place of the next page's position in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Next {
    /// `json:NAME`: in this field of a JSON object.
    Json(String),
    /// `header:NAME`: in this header.
    Header(String),
}

impl TryFrom<String> for Next {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        match text.split_once(':') {
            Some(("json", name)) if !name.is_empty() => Ok(Self::Json(name.to_owned())),
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.to_owned())),
            _ => anyhow::bail!("next is one of json:NAME, header:NAME"),
        }
    }
}

impl History {
    /// Passes on one page after the other, until `page` returns that one is empty.
    pub(crate) async fn read(
        &self,
        address: SocketAddr,
        topic: &str,
        mut page: impl FnMut(&[u8]) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let mut connection = Connection::open(address, PATIENCE).await?;
        let mut position = self.first.clone();
        loop {
            let path = self.path.replace("{topic}", topic).replace("{position}", &position);
            let response = connection.send(Request::get(&path).body(Full::default())?, PATIENCE).await?;
            let (head, body) = response.into_parts();
            let body = read_body(body, PATIENCE).await?;
            ensure!(
                head.status.is_success(),
                "GET {path} was answered {}: {}",
                head.status,
                String::from_utf8_lossy(&body)
            );
            let next = match &self.next {
                Next::Header(name) => head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned),
                Next::Json(name) => {
                    let json: serde_json::Value = serde_json::from_slice(&body).context("a page of the history")?;
                    json[name].as_str().map(str::to_owned)
                }
            };
            let next = next.with_context(|| format!("the answer to GET {path} has no next position"))?;
            if !page(&body)? || next == position {
                return Ok(());
            }
            position = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_the_next_position_are_named() {
        assert_eq!(Next::try_from("json:cursor".to_owned()).unwrap(), Next::Json("cursor".to_owned()));
        for bad in ["", "json", "header:", "cookie:a"] {
            assert!(Next::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
