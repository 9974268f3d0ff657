//! `grub/grub.cfg`: reads the environment, sources the menu, and counts.
//!
//! GRUB 2.06 has no arithmetic (`increment` and `blscfg` are patches of one distribution), so counting is a
//! ladder of comparisons. A try whose count cannot be saved is no try: the confirmed entry boots. An older list
//! without a trial boots its first entry. Where GRUB cannot load a kernel it boots the second entry, the confirmed one of a
//! list with a trial: without `fallback` it would stand in its menu, where nothing counts and no watchdog runs.

use crate::loader::MAX_TRIES;
use std::fmt::Write;

/// The text; the same for every list of deployments.
pub fn config(timeout_s: u32) -> String {
    let mut text = format!(
        "# Written by rootling; changes are lost. Settings go into custom.cfg beside this file.\n\
         set timeout={timeout_s}\n\
         if [ -f ${{prefix}}/grubenv ]; then\n  load_env -f ${{prefix}}/grubenv\nfi\n\
         set rootling_trial=\n\
         source ${{prefix}}/../loader/grub.cfg\n\
         set default=0\n\
         set fallback=1\n\
         if [ -n \"${{rootling_trial}}\" ]; then\n  \
         set default=1\n  \
         if [ \"${{rootling_try}}\" = \"${{rootling_trial}}:good\" ]; then\n    \
         set default=0\n"
    );
    for left in (1..=MAX_TRIES).rev() {
        let _ = write!(
            text,
            "  elif [ \"${{rootling_try}}\" = \"${{rootling_trial}}:{left}\" ]; then\n    \
             set rootling_try=\"${{rootling_trial}}:{after}\"\n    \
             if save_env -f ${{prefix}}/grubenv rootling_try; then\n      set default=0\n    fi\n",
            after = left.saturating_sub(1)
        );
    }
    text.push_str("  fi\nfi\nif [ -f ${prefix}/custom.cfg ]; then\n  source ${prefix}/custom.cfg\nfi\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_rung_for_each_try() {
        let text = config(3);
        assert!(text.contains("set timeout=3\n"));
        for left in 1..=MAX_TRIES {
            assert_eq!(text.matches(&format!("${{rootling_trial}}:{left}\" ]")).count(), 1, "{left}");
            assert_eq!(
                text.matches(&format!("set rootling_try=\"${{rootling_trial}}:{}\"", left - 1)).count(),
                1
            );
        }
        assert_eq!(
            text.matches("\nfi\n").count() + text.matches(" fi\n").count(),
            text.matches("if [ ").count() + text.matches("if save").count() - text.matches("elif").count()
        );
    }
}
