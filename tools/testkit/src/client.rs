//! An HTTP client.

use std::sync::Once;

use reqwest::{Client, ClientBuilder};
use rustls::crypto::ring;

/// Makes a client that asks the service itself, whatever proxy the environment names.
pub fn client() -> Client {
    client_builder().build().expect("the client has no bad settings")
}

/// As [`client`], to be set up further.
pub fn client_builder() -> ClientBuilder {
    // reqwest takes the cryptography that the process has chosen, and there is none by default.
    static CHOSEN: Once = Once::new();
    CHOSEN.call_once(|| drop(ring::default_provider().install_default()));
    // The certificates of the system take a while to read, and no test needs them.
    Client::builder().no_proxy().tls_certs_only([])
}
