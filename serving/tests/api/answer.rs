//! An HTTP answer as a client sees it, from whichever client.

use serde_json::Value;

/// Status, headers and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// Parses the bytes of an answer. A body has to be as long as its `Content-Length` says, so that nothing can be
    /// sent twice or be cut off without a test noticing.
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole answer: {text:?}"));
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap();
        assert!(status_line.starts_with("HTTP/1."), "{text:?}");
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(k, v)| (k.to_lowercase(), v.to_owned()));
        let answer = Self { status, headers: headers.collect(), body: body.to_owned() };
        if let Some(length) = answer.header("content-length") {
            assert_eq!(answer.body.len().to_string(), length, "{text:?}");
        }
        answer
    }

    /// Takes the answer of a well-behaved client.
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
        };
        let headers = response.headers().iter().map(text).collect();
        Self { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        first
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A string of the JSON body.
    pub(crate) fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name}: {self:?}")).to_owned()
    }

    /// The answer is an error of the contract: a code for programs, and a message with advice for a person.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str, advice: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let json = self.json();
        assert_eq!(json.as_object().unwrap().len(), 2, "{self:?}");
        assert_eq!(json["error"], code, "{self:?}");
        let message = json["message"].as_str().unwrap();
        assert!(message.contains(advice), "{message:?} does not say {advice:?}");
        let retry = self.header("retry-after").map(|seconds| seconds.parse::<u16>().unwrap());
        assert_eq!(retry.is_some_and(|seconds| seconds > 0), matches!(status, 429 | 503), "{self:?}");
        assert_eq!(self.header("allow").is_some(), status == 405, "{self:?}");
    }
}
