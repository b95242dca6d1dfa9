//! A head that is sent, and the answer that comes back.

use http::StatusCode;
use serving::reply::Reply;
use serving::routes::{MethodRoute, Upgrade};

use crate::answer::Answer;
use crate::service::Service;

/// The advice in the answer to what is not HTTP.
pub(super) const NOT_HTTP: &str = "not valid HTTP/1.1";

/// A path whose heads the service reads itself, where they come whole.
pub(super) const PATH: &str = "/method";

/// Starts a service with a route of a method at [`PATH`].
pub(super) async fn service_with_a_method() -> Service {
    let answer = |_| async { Ok(Reply::empty(StatusCode::OK).into()) };
    Service::start_with(&[], vec![MethodRoute::new(PATH, Upgrade::Refused, answer)]).await
}

/// Sends a whole head to a service, but for the lines that end it, and returns the answer.
pub(super) async fn answer_to(service: &Service, head: &str) -> Answer {
    service.raw(format!("{head}\r\nconnection: close\r\n\r\n")).await
}

/// Checks that heads, each whole but for the lines that end it, are answered as not being HTTP.
pub(super) async fn assert_not_http(heads: &[&str]) {
    let service = service_with_a_method().await;
    for head in heads {
        let answer = answer_to(&service, head).await;
        assert_eq!(answer.status, 400, "{head:?}: {answer:?}");
        answer.assert_error(400, "bad_request", NOT_HTTP);
    }
    service.assert_serving().await;
}

/// Checks that heads, each whole but for the lines that end it, are answered as a request for `/livez`.
pub(super) async fn assert_live(heads: &[&str]) {
    let service = Service::start(&[]).await;
    for head in heads {
        let answer = answer_to(&service, head).await;
        assert_eq!((answer.status, &answer.body[..]), (200, r#"{"status":"live"}"#), "{head:?}");
    }
}
