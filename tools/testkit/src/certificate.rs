//! Tests of a service's certificate, which may change while it runs.

use nix::sys::signal::Signal;

use crate::process::Process;
use crate::service::Service;
use crate::service_program::signal;
use crate::tls::{Identity, VERSIONS};

/// On SIGHUP the certificate and its key are read again; a file that has become bad changes nothing.
pub async fn a_certificate_is_read_again_on_sighup<S: Service>() {
    let mut identity = Identity::new();
    let files = identity.flags();
    let (mut process, address) = S::PROGRAM.start(&["--drain", "0", &files[0], &files[1]]).await;
    identity.connect(address, VERSIONS[1]).await.expect("the first certificate is shown");
    identity.renew();
    // The service may look at its files at this moment, as it does now and then, so the first one need not be shown any more.
    signal(&process, Signal::SIGHUP);
    process.line_with("SIGHUP: the certificate and key of TLS are read again").await;
    identity.connect(address, VERSIONS[1]).await.expect("the second certificate is shown");
    std::fs::write(identity.path("cert.pem"), "bad").expect("the file can be written");
    signal(&process, Signal::SIGHUP);
    let line = process.line_with("cannot be read again; those that were read last count").await;
    assert!(line.contains("ERROR") && line.contains("there is no CERTIFICATE"), "{line}");
    identity.connect(address, VERSIONS[1]).await.expect("the second certificate is still shown");
}

/// The command `healthcheck` asks by TLS, whatever the certificate.
pub async fn a_healthcheck_takes_any_certificate<S: Service>() {
    let identity = Identity::new();
    let files = identity.flags();
    let (_process, address) = S::PROGRAM.start(&["--drain", "0", &files[0], &files[1]]).await;
    let listen = address.to_string();
    let with_files = ["--listen", &listen, &files[0], &files[1], "healthcheck"];
    let exit = Process::run(S::PROGRAM.path, &with_files).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let exit = Process::run(S::PROGRAM.path, &["--listen", &listen, "healthcheck"]).await;
    assert!(exit.code == Some(1) && exit.stderr.contains("tls_required"), "{exit:?}");
}

/// Makes the tests of certificates that are the same for every service: `certificate_behaviours!(Sse)`.
#[macro_export]
macro_rules! certificate_behaviours {
    ($service:ty) => {
        $crate::behaviours!($service:
            certificate::a_certificate_is_read_again_on_sighup,
            certificate::a_healthcheck_takes_any_certificate,
        );
    };
}
