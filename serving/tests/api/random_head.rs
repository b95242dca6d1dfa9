//! Random requests: valid ones, and ones whose head is damaged.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use testkit::damage::damage;

/// Bytes with a meaning in a head.
const LIKELY: &[u8] = b" \t\r\n:\0\x7f";

/// The path of the method's route.
pub(crate) const PATH: &str = "/direct";

/// A head, most often for the method's route, and the bytes that a client sends after it.
pub(crate) fn random_head() -> impl Strategy<Value = Vec<u8>> {
    let rest = prop_oneof![
        4 => Just(""),
        2 => Just("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n"),
        1 => Just("hello"),
    ];
    request(method("GET"), target(PATH), Vec::new(), rest)
}

/// A publication of "hello", most often, and the bytes that a client sends after it.
pub(crate) fn random_publication() -> impl Strategy<Value = Vec<u8>> {
    let rest = prop_oneof![
        4 => Just("hello"),
        2 => Just("helloGET /livez HTTP/1.1\r\nhost: test\r\n\r\n"),
        1 => select(&["", "hell", "hello, world"][..]),
    ];
    let length = prop_oneof![
        12 => Just(&["content-length: 5"][..]),
        1 => select(vec![
            &[][..],
            &["content-length: 0"],
            &["content-length: +5"],
            &["content-length: 05"],
            &["content-length: 5", "content-length: 5"],
            &["content-length: 5", "content-length: 4"],
            &["content-length: 5, 5"],
            &["content-length: 99999999999999999999"],
            &["content-length: 5", "transfer-encoding: chunked"],
        ]),
    ];
    let target = prop_oneof![8 => Just(b"/messages?topic=a".to_vec()), 1 => target("/messages")];
    length.prop_flat_map(move |length| {
        let lines = length.iter().map(|line| line.as_bytes().to_vec()).collect();
        request(method("POST"), target.clone(), lines, rest.clone())
    })
}

/// A request with these lines in its head, among others.
fn request(
    method: impl Strategy<Value = &'static str>,
    target: impl Strategy<Value = Vec<u8>>,
    lines: Vec<Vec<u8>>,
    rest: impl Strategy<Value = &'static str>,
) -> impl Strategy<Value = Vec<u8>> {
    let line = (method, target, version())
        .prop_map(|(method, target, version)| [method.as_bytes(), b" ", &target, b" ", version.as_bytes()].concat());
    let line_end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n")];
    let host =
        prop_oneof![12 => Just("host: test"), 1 => select(&["Host: [::1]:80", "host:", "host: a b", "x: y"][..])];
    let fields = prop_oneof![8 => vec(field(), 0..6), 1 => vec(field(), 28..36), 1 => vec(field(), 95..105)];
    let damages = prop_oneof![1 => Just(Vec::new()), 1 => vec(damage(LIKELY), 1..3)];
    (line, line_end, host, fields, rest, damages).prop_map(move |(line, line_end, host, fields, rest, damages)| {
        let mut bytes = [&line, line_end.as_bytes(), host.as_bytes(), line_end.as_bytes()].concat();
        for field in lines.iter().cloned().chain(fields) {
            bytes.extend([&field, line_end.as_bytes()].concat());
        }
        bytes.extend(line_end.as_bytes());
        damages.iter().for_each(|damage| damage.change(&mut bytes));
        // A head that never ends may be refused before its end or not, as hyper happens to read it.
        if !bytes.ends_with(b"\r\n\r\n") {
            bytes.extend(b"\r\n\r\n");
        }
        bytes.extend(rest.as_bytes());
        bytes
    })
}

fn method(usual: &'static str) -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![12 => Just(usual), 1 => select(&["HEAD", "POST", "OPTIONS", "get", "G(T", "CONNECT", "FROB"][..])]
}

fn target(path: &'static str) -> impl Strategy<Value = Vec<u8>> + Clone {
    let query = vec(prop_oneof![6 => 0x21..0x7f_u8, 1 => any::<u8>()], 0..20);
    prop_oneof![
        3 => Just(path.as_bytes().to_vec()),
        6 => query.prop_map(move |query| [path.as_bytes(), b"?", &query].concat()),
        1 => Just(format!("http://elsewhere.example{path}?a=b").into_bytes()),
        1 => select(&["*", "/", "/direct/", "//direct", "/dir%65ct", "/livez", "direct", "/direct#a", ""][..])
            .prop_map(|target| target.as_bytes().to_vec()),
    ]
}

fn version() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just("HTTP/1.1"), 4 => Just("HTTP/1.0"), 1 => select(&["HTTP/1.2", "HTTP/2.0", "http/1.1", ""][..])]
}

fn field() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        4 => vec(0x20..0x7f_u8, 0..20),
        2 => vec(any::<u8>(), 0..10),
        // The whole head stays within the limit: above it, hyper's answer depends on how much it has read at once.
        1 => (0..100_usize).prop_map(|length| vec![b'x'; length]),
    ];
    let name = prop_oneof![
        3 => vec(prop_oneof![Just(b'-'), 0x61..0x7b_u8, 0x41..0x5b_u8], 1..10),
        1 => vec(any::<u8>(), 0..5),
    ];
    let known = select(
        &[
            "connection: close",
            "Connection: keep-alive",
            "connection: foo, close",
            "connection: Upgrade",
            "connection:\tclose ",
            "upgrade: websocket",
            "upgrade: h2c",
            "origin: http://page.example",
            "origin: null",
            "content-length: 0",
            "content-length: 5",
            "content-length: x",
            "transfer-encoding: chunked",
            "expect: 100-continue",
            "host: other",
            "host: a b",
            "transfer-encoding: gzip, chunked",
            "connection:\t,foo,\tclose",
            "Upgrade: h2c, websocket",
            "x: ",
            "x:y",
            "x : y",
            " folded",
        ][..],
    );
    prop_oneof![
        2 => known.prop_map(|field| field.as_bytes().to_vec()),
        2 => (name, value).prop_map(|(name, value)| [&name, &b": "[..], &value].concat()),
    ]
}
