//! Handing an address over to another process that listens on it too (`SO_REUSEPORT`).

use std::io;
use std::time::Duration;

use tokio::net::TcpListener;

/// The time for handshakes that have begun with this process.
pub(crate) const HANDSHAKES: Duration = Duration::from_millis(500);

/// Has new connections go to the process that has begun to listen after this one, if there is one.
///
/// A listener that is closed resets the connections that nobody has accepted yet. So that there are none, the system is to
/// choose the other listener before this one is closed.
#[cfg(target_os = "linux")]
pub(crate) fn yield_to_next(listener: &TcpListener) -> io::Result<()> {
    use nix::libc;
    use nix::sys::socket::setsockopt;
    use nix::sys::socket::sockopt::SetStruct;

    #[derive(Clone, Copy)]
    struct ChooseListener;

    nix::setsockopt_impl!(
        ChooseListener,
        libc::SOL_SOCKET,
        libc::SO_ATTACH_REUSEPORT_CBPF,
        libc::sock_fprog,
        SetStruct<'_, libc::sock_fprog>
    );

    // A program of one instruction, which returns the number of the listener. The oldest is 0, and takes the number of
    // the last one when it is closed. A number that no listener has leaves the choice to the system.
    const RETURN_CONSTANT: u16 = 0x06;
    let mut program = [libc::sock_filter { code: RETURN_CONSTANT, jt: 0, jf: 0, k: 1 }];
    setsockopt(listener, ChooseListener, &libc::sock_fprog { len: 1, filter: program.as_mut_ptr() })?;
    Ok(())
}

/// Leaves the choice to the system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn yield_to_next(_: &TcpListener) -> io::Result<()> {
    Ok(())
}
