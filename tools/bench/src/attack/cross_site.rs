//! Requests that the pages of another site make with the cookie of this one's user.

use super::client::Client;
use super::ground::{Ground, TOPIC};

/// Asks as a page of another site does, with a cookie that is good: by a form, an image and the method of the service, in turn.
pub(super) async fn live(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let cookie = format!("Cookie: push_token={}\r\n", ground.site.keys()?.token());
    let origin = "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n";
    let request = match index % 3 {
        0 => {
            let headers = ground.headers();
            let form = "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx";
            format!("POST /messages?topic={TOPIC} HTTP/1.1\r\n{headers}{cookie}{origin}{form}").into_bytes()
        }
        1 => {
            let headers = ground.headers();
            let site = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n";
            format!("GET /messages?topic={TOPIC} HTTP/1.1\r\n{headers}{cookie}{site}\r\n").into_bytes()
        }
        _ => ground.follow_with(&format!("topic={TOPIC}"), &format!("{cookie}{origin}")),
    };
    let mut client = Client::connect(ground).await?;
    loop {
        client.send(&request).await?;
        client.answer().await?;
    }
}
