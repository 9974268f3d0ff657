//! The help text, written from the table.

use std::fmt::Write as _;

use super::spec::{COMMANDS, Flag, GLOBAL, Spec};
use crate::exit::Exit;

/// The help of one command, or of the program.
pub fn text(spec: Option<&Spec>) -> String {
    match spec {
        Some(spec) => of_command(spec),
        None => of_program(),
    }
}

fn of_command(spec: &Spec) -> String {
    let mut out = format!("rootling {} {}\n{}\n", spec.name, spec.args, spec.about);
    if !spec.flags.is_empty() {
        out.push('\n');
        spec.flags.iter().for_each(|flag| line(&mut out, flag));
    }
    out.push_str("\nFor every command:\n");
    GLOBAL.iter().for_each(|flag| line(&mut out, flag));
    out
}

fn of_program() -> String {
    let mut out = String::from(
        "rootling keeps the operating system of a device up to date.\n\nrootling [FLAGS] COMMAND\n\n",
    );
    for spec in COMMANDS {
        let _ = writeln!(out, "  {:<36} {}", format!("{} {}", spec.name, spec.args), spec.about);
    }
    out.push_str("\nFor every command:\n");
    GLOBAL.iter().for_each(|flag| line(&mut out, flag));
    out.push_str("\nExit codes:\n");
    for (exit, about) in Exit::ALL {
        let _ = writeln!(out, "  {:>3}  {about}", exit.code());
    }
    out
}

fn line(out: &mut String, flag: &Flag) {
    let short = flag.short.map(|c| format!("-{c}, ")).unwrap_or_default();
    let value = flag.value.map(|name| format!("={name}")).unwrap_or_default();
    let _ = writeln!(out, "  {:<36} {}", format!("{short}--{}{value}", flag.long), flag.about);
}
