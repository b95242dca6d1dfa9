//! The file systems on which several processes cannot share a database.

use std::path::Path;

/// File systems whose shared memory or locks do not hold between processes, by the number that `statfs` has for them
/// (`linux/magic.h`, and the sources of those that are not in it).
#[cfg(target_os = "linux")]
const UNTRUSTED: [(u32, &str); 14] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "SMB (cifs)"),
    (0xfe53_4d42, "SMB (smb3)"),
    // virtiofs is one of them too.
    (0x6573_5546, "FUSE or virtiofs"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x0bd0_0bd0, "Lustre"),
    (0x786f_4256, "a folder of VirtualBox"),
    (0xbacb_acbc, "a folder of VMware"),
    (0x4750_4653, "GPFS"),
];

/// File systems that are gone when the machine is switched off.
#[cfg(target_os = "linux")]
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// The name of the file system of a directory, if it is one of those on which processes cannot share a database.
#[cfg(target_os = "linux")]
pub(crate) fn untrusted(directory: &Path) -> std::io::Result<Option<&'static str>> {
    let kind = kind(directory)?;
    Ok(UNTRUSTED.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name))
}

/// Returns whether a directory is in memory, and so on no disk.
#[cfg(target_os = "linux")]
pub(crate) fn is_in_memory(directory: &Path) -> bool {
    kind(directory).is_ok_and(|kind| IN_MEMORY.contains(&kind))
}

/// The number of a file system, of which the kernel's type has the low 32 bits on every architecture.
#[cfg(target_os = "linux")]
fn kind(directory: &Path) -> std::io::Result<u32> {
    Ok(rustix::fs::statfs(directory)?.f_type as u32)
}

/// Elsewhere the file systems have no such numbers.
#[cfg(not(target_os = "linux"))]
pub(crate) fn untrusted(_: &Path) -> std::io::Result<Option<&'static str>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_in_memory(_: &Path) -> bool {
    false
}
