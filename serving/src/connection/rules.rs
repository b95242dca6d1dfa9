//! The rules of RFC 9112 for a head that neither reader of requests checks.

use std::net::Ipv6Addr;

use http::header::{HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Version};

use crate::error::ApiError;
use crate::headers::members;

/// Checks a head that was read. After an error, the connection ends with the answer.
pub(super) fn check(version: Version, headers: &HeaderMap) -> Result<(), ApiError> {
    check_host(version, headers)?;
    check_transfer_coding(headers)
}

/// Checks that there is one host (section 3.2), or none in a request of HTTP/1.0.
fn check_host(version: Version, headers: &HeaderMap) -> Result<(), ApiError> {
    let mut hosts = headers.get_all(HOST).iter();
    let problem = match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => return Ok(()),
        (Some(host), None) if host.to_str().is_ok_and(is_host) => return Ok(()),
        (None, _) => "there is no Host header",
        (Some(_), None) => "the Host header is not a host",
        (Some(_), Some(_)) => "there are several Host headers",
    };
    Err(ApiError::BadRequest(format!("{problem}; send one, with the host and port of the URL")))
}

/// Returns whether a text is a host with an optional port (RFC 3986, sections 3.2.2 and 3.2.3). It is not empty, since every
/// URL of `http` has a host (RFC 9110, section 4.2.1).
fn is_host(text: &str) -> bool {
    let (is_host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address.parse::<Ipv6Addr>().is_ok(), port),
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (is_name(name), port)
        }
    };
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit())))
}

/// Returns whether a text is an IPv4 address or the name of a host, in which bytes may be percent-encoded.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_allowed = match byte {
            b'%' => {
                [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
            }
            byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte),
        };
        if !is_allowed {
            return false;
        }
    }
    !text.is_empty()
}

/// Checks that a body is sent as it is or in chunks (sections 6.1 and 6.3). A body whose last coding is not chunked is
/// refused by hyper.
fn check_transfer_coding(headers: &HeaderMap) -> Result<(), ApiError> {
    if !headers.contains_key(TRANSFER_ENCODING) {
        return Ok(());
    }
    if members(headers, TRANSFER_ENCODING).any(|coding| !coding.eq_ignore_ascii_case("chunked")) {
        return Err(ApiError::UnknownTransferCoding);
    }
    if members(headers, TRANSFER_ENCODING).count() > 1 {
        return Err(ApiError::BadRequest("the body is chunked more than once; send it chunked once".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for host in [
            "a",
            "a.example",
            "a.example:8080",
            "a.example:",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:3001",
            "[::ffff:1.2.3.4]:1",
            "under_score",
            "a%20b",
            "xn--bcher-kva.example",
            "a.",
        ] {
            assert!(is_host(host), "{host:?}");
        }
        for bad in [
            "", ":80", "a b", "a/b", "http://a", "a:b", "a:80:80", "u@a", "[::1", "[a]", "[::1]80", "::1", "a%2",
            "a%zz", "a?b", "a#b", "a\\b", "\"a\"", "a:-1",
        ] {
            assert!(!is_host(bad), "{bad:?}");
        }
    }
}
