//! Section 5: the lines of the header section.

use super::exchange::{assert_live, assert_not_http};

/// Section 5: space around a value is no part of it, and a value may be empty.
#[tokio::test]
async fn space_around_a_value_is_optional() {
    assert_live(&[
        "GET /livez HTTP/1.1\r\nhost: test\r\nx:",
        "GET /livez HTTP/1.1\r\nhost: test\r\nx:y",
        "GET /livez HTTP/1.1\r\nhost: test\r\nx: \t y \t ",
    ])
    .await;
}

/// Section 5.1: "No whitespace is allowed between the field name and colon", and a request that has some is answered 400.
#[tokio::test]
async fn space_before_the_colon_is_refused() {
    assert_not_http(&["GET /livez HTTP/1.1\r\nhost : test", "GET /livez HTTP/1.1\r\nhost\t: test"]).await;
}

/// Section 5.2: a line that continues the one before is refused, or read as a space. Here it is refused.
#[tokio::test]
async fn a_folded_line_is_refused() {
    assert_not_http(&[
        "GET /livez HTTP/1.1\r\nhost: test\r\nx: a\r\n b",
        "GET /livez HTTP/1.1\r\nhost: test\r\nx: a\r\n\tb",
    ])
    .await;
}

/// RFC 9110, section 5.1: a name is a token.
#[tokio::test]
async fn a_name_is_a_token() {
    assert_not_http(&[
        "GET /livez HTTP/1.1\r\nhost: test\r\n: x",
        "GET /livez HTTP/1.1\r\nhost: test\r\nx(: y",
        "GET /livez HTTP/1.1\r\nhost: test\r\nno colon",
    ])
    .await;
}

/// RFC 9110, section 5.5: a value has no control characters but tabs, and bytes above ASCII mean nothing in particular.
#[tokio::test]
async fn a_value_has_no_control_characters() {
    assert_not_http(&[
        "GET /livez HTTP/1.1\r\nhost: test\r\nx: a\0b",
        "GET /livez HTTP/1.1\r\nhost: test\r\nx: a\u{1}b",
        "GET /livez HTTP/1.1\r\nhost: test\r\nx: a\u{7f}b",
    ])
    .await;
    assert_live(&["GET /livez HTTP/1.1\r\nhost: test\r\nx: \u{e9}", "GET /livez HTTP/1.1\r\nhost: test\r\nx: a\tb"])
        .await;
}
