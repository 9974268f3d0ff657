//! File capabilities: the text of FILECAPS to the bytes of `security.capability`.
//!
//! | offset | bytes | what (little endian) |
//! |---|---|---|
//! | 0 | 4 | `0x02000000` (VFS_CAP_REVISION_2), bit 0 = effective |
//! | 4 | 4 + 4 | permitted, inheritable, capabilities 0 to 31 |
//! | 12 | 4 + 4 | permitted, inheritable, capabilities 32 to 63 |
//!
//! Sources: linux/capability.h, cap_from_text(3).

use anyhow::{Context as _, Result, bail, ensure};

/// By number; linux/capability.h.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];
const ALL: u64 = (1 << NAMES.len()) - 1;
const REVISION_2: u32 = 0x0200_0000;

/// The value of `security.capability` for text such as `cap_net_raw,cap_net_admin=ep`; none when it grants nothing.
pub fn encode(text: &str) -> Result<Option<[u8; 20]>> {
    let (mut effective, mut permitted, mut inheritable) = (0u64, 0u64, 0u64);
    for clause in text.split_whitespace() {
        let split = clause
            .find(['=', '+', '-'])
            .with_context(|| format!("capability {clause:?}: expected =, + or -"))?;
        let (names, mut actions) = clause.split_at(split);
        let mask = mask(names)?;
        while let Some(operator) = actions.chars().next() {
            let rest = &actions[1..];
            let end = rest.find(['=', '+', '-']).unwrap_or(rest.len());
            let (flags, next) = rest.split_at(end);
            if operator == '=' {
                (effective, permitted, inheritable) =
                    (effective & !mask, permitted & !mask, inheritable & !mask);
            }
            for flag in flags.chars() {
                let set = match flag {
                    'e' => &mut effective,
                    'p' => &mut permitted,
                    'i' => &mut inheritable,
                    other => bail!("capability {clause:?}: expected flags e, i or p, got {other:?}"),
                };
                *set = if operator == '-' { *set & !mask } else { *set | mask };
            }
            actions = next;
        }
    }
    if permitted | inheritable == 0 {
        return Ok(None);
    }
    ensure!(
        effective == 0 || effective == permitted | inheritable,
        "capabilities {text:?}: a file has one effective bit for all of them, expected all or none"
    );
    let mut bytes = [0u8; 20];
    let magic = REVISION_2 | u32::from(effective != 0);
    let words =
        [magic, permitted as u32, inheritable as u32, (permitted >> 32) as u32, (inheritable >> 32) as u32];
    for (field, word) in bytes.chunks_exact_mut(4).zip(words) {
        field.copy_from_slice(&word.to_le_bytes());
    }
    Ok(Some(bytes))
}

fn mask(names: &str) -> Result<u64> {
    if names.is_empty() || names == "all" {
        return Ok(ALL);
    }
    names.split(',').try_fold(0, |mask, name| {
        let lower = name.to_ascii_lowercase();
        let short = lower.strip_prefix("cap_").unwrap_or(&lower);
        let number = NAMES.iter().position(|known| *known == short);
        Ok(mask | 1 << number.with_context(|| format!("capability {name:?} is not known"))?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpmfile::hex;

    #[test]
    fn encodes_as_setcap_does() {
        for (text, expected) in [
            ("cap_net_raw=ep", "0100000200200000000000000000000000000000"),
            ("cap_net_raw+ep", "0100000200200000000000000000000000000000"),
            ("= cap_net_raw+p", "0000000200200000000000000000000000000000"),
            ("cap_net_admin,cap_net_raw=ep", "0100000200300000000000000000000000000000"),
            ("cap_setuid=ep cap_setgid=ep", "01000002c0000000000000000000000000000000"),
            ("cap_bpf=ep", "0100000200000000000000008000000000000000"),
            ("cap_chown=eip", "0100000201000000010000000000000000000000"),
            ("cap_chown=eip-i", "0100000201000000000000000000000000000000"),
        ] {
            let bytes = encode(text).unwrap().unwrap();
            assert_eq!(hex(&bytes), expected, "{text}");
        }
        for none in ["", "=", "cap_chown=", "cap_chown=p-p"] {
            assert_eq!(encode(none).unwrap(), None, "{none}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for (text, reason) in [
            ("cap_fly=ep", "\"cap_fly\" is not known"),
            ("cap_chown", "expected =, + or -"),
            ("cap_chown=x", "expected flags e, i or p"),
            ("cap_chown=ep cap_kill=p", "expected all or none"),
        ] {
            let error = encode(text).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
