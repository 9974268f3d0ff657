//! `postprocess`: the manifest's own scripts, in the sandbox.

use super::{Options, Outcome};
use crate::root::Root;
use crate::sandbox::Sandbox;
use anyhow::Result;

/// Runs each script with the interpreter of its first line, or `/bin/sh`.
pub fn apply(tree: &Root, options: &Options, _: &mut Outcome) -> Result<()> {
    if options.scripts.is_empty() {
        return Ok(());
    }
    let sandbox = Sandbox::new(tree, options.timestamp)?;
    for (number, script) in (1..).zip(&options.scripts) {
        sandbox.run_script(&interpreter(script), script, &[])?.check(&format!("script {number}"))?;
    }
    Ok(())
}

/// As the kernel reads `#!`: one program and at most one argument.
fn interpreter(script: &str) -> Vec<&str> {
    let line = script.lines().next().and_then(|line| line.strip_prefix("#!")).unwrap_or("").trim();
    match line.split_once(char::is_whitespace) {
        _ if line.is_empty() => vec!["/bin/sh"],
        Some((program, argument)) => vec![program, argument.trim()],
        None => vec![line],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_interpreter_of_the_first_line() {
        assert_eq!(interpreter("echo"), ["/bin/sh"]);
        assert_eq!(interpreter("#!/bin/bash\nx"), ["/bin/bash"]);
        assert_eq!(interpreter("#! /usr/bin/env  python3 -u\n"), ["/usr/bin/env", "python3 -u"]);
        assert_eq!(interpreter(""), ["/bin/sh"]);
    }
}
