//! The answers of a client's requests, and the deliveries that are counted.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{HeaderName, HeaderValue, StatusCode};

use super::Client;
use crate::connection::transport::Transport;
use crate::metrics::Delivery;
use crate::reply::Reply;

/// The largest answer that is copied into one buffer with its head. A larger one is written from where its parts are.
pub(super) const COPIED: usize = 16 * 1024;

impl Client {
    /// Begins a stream, after which the connection is closed: writes its head and its first bytes. Over HTTP/1.1 a stream
    /// consists of chunks (RFC 9112, section 7.1), and whoever writes it writes whole ones, the first bytes included.
    pub fn begin_stream(&mut self, headers: &[(HeaderName, &'static str)], first: &[u8]) {
        if let Transport::Http2(stream) = &mut self.transport {
            let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            stream.begin(StatusCode::OK, self.framing.header_map(self.app.admission.origins(), headers));
            stream.push([Bytes::copy_from_slice(first)]);
            return;
        }
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let mut head = self.framing.stream_head(self.app.admission.origins(), StatusCode::OK, headers);
        head.extend_from_slice(first);
        self.framing.keep_alive = false;
        self.write(&head);
    }

    /// Answers an upgrade (RFC 9110, section 7.8): after this, the connection speaks another protocol.
    pub fn upgrade(&mut self, headers: &http::HeaderMap) {
        if let Transport::Http2(stream) = &mut self.transport {
            // There is no other protocol to change to on the connection, and no key to answer (RFC 8441, section 5).
            let kept = headers.iter().filter(|(name, _)| ![CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT].contains(name));
            let headers = kept.map(|(name, value)| (name.clone(), value.clone()));
            stream.begin(StatusCode::OK, self.framing.header_map(self.app.admission.origins(), headers));
            return;
        }
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let head = self.framing.stream_head(self.app.admission.origins(), StatusCode::SWITCHING_PROTOCOLS, headers);
        self.framing.keep_alive = false;
        self.write(&head);
    }

    /// Gives a whole answer.
    pub fn answer(&mut self, reply: Reply) {
        let length = reply.body_bytes();
        let copied = if length <= COPIED { length } else { 0 };
        if let Transport::Http2(stream) = &mut self.transport {
            let headers = reply.headers.into_iter().chain([(CONTENT_LENGTH, length.into())]);
            stream.begin(reply.status, self.framing.header_map(self.app.admission.origins(), headers));
            stream.push(reply.body);
            return;
        }
        self.framing.keep_alive &= self.app.admission.keeps_alive(self.is_overflow);
        let headers = reply.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let origins = self.app.admission.origins();
        let mut head = self.framing.whole_head(origins, reply.status, headers, length, copied);
        if copied == length {
            reply.body.iter().for_each(|part| head.extend_from_slice(part));
            self.write(&head);
        } else {
            self.write_shared([head.into()].into_iter().chain(reply.body));
        }
    }

    /// Writes a delivery, in parts as [`Client::write_shared`] does, counts it, and measures how late it is.
    pub fn deliver(&mut self, parts: impl IntoIterator<Item = Bytes>, delivery: &Delivery) {
        self.write_shared(parts);
        self.count(delivery);
    }

    /// Gives a whole answer that is a delivery.
    pub fn answer_with(&mut self, reply: Reply, delivery: &Delivery) {
        self.answer(reply);
        self.count(delivery);
    }

    fn count(&mut self, delivery: &Delivery) {
        self.app.metrics().count(delivery);
        if let Some(gap) = &delivery.gap {
            self.app.gaps().add(gap, self.address_text(), self.subject().map(AsRef::as_ref));
        }
        self.app.trace_delivery(&delivery.tally, || self.in_spans());
        if let Some(appended) = delivery.tally.appended {
            match self.output.is_empty() {
                true => self.app.metrics().measure_delay(appended.elapsed()),
                false => self.output.appended_at(appended),
            }
        }
    }
}
