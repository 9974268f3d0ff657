//! Scriptlets of a header.

use super::{Header, tags};

/// When a scriptlet runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// %pre
    Pre,
    /// %post
    Post,
    /// %posttrans
    PostTrans,
}

impl Phase {
    /// The name in a spec file, without `%`.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Pre => "pre",
            Phase::Post => "post",
            Phase::PostTrans => "posttrans",
        }
    }
}

/// One scriptlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scriptlet {
    /// When it runs.
    pub phase: Phase,
    /// Interpreter and its arguments; `<lua>` is rpm's own.
    pub program: Vec<String>,
    /// The script; empty when the program alone is the scriptlet (`%post -p /sbin/ldconfig`).
    pub body: String,
    /// `RPMSCRIPT_FLAG_*` bits: 1 = expand macros, 2 = expand query format, 4 = its failure is critical.
    pub flags: u64,
}

/// The scriptlet of a phase, if the package has one.
pub fn scriptlet(header: &Header, phase: Phase) -> Option<Scriptlet> {
    let (body, program, flags) = match phase {
        Phase::Pre => (tags::PREIN, tags::PREINPROG, tags::PREINFLAGS),
        Phase::Post => (tags::POSTIN, tags::POSTINPROG, tags::POSTINFLAGS),
        Phase::PostTrans => (tags::POSTTRANS, tags::POSTTRANSPROG, tags::POSTTRANSFLAGS),
    };
    let text = header.text(body);
    let mut program: Vec<String> = header.texts(program).into_iter().map(|word| word.into_owned()).collect();
    if text.is_none() && program.is_empty() {
        return None;
    }
    if program.is_empty() {
        program.push("/bin/sh".to_owned());
    }
    Some(Scriptlet {
        phase,
        program,
        body: text.map_or_else(String::new, |text| text.into_owned()),
        flags: header.number(flags).unwrap_or(0),
    })
}

/// Names of packages whose arrival would fire a trigger of this one (`%triggerin`, `%triggerprein`), and paths of its
/// file triggers.
pub fn triggers(header: &Header) -> Vec<String> {
    // RPMSENSE_TRIGGERIN | RPMSENSE_TRIGGERPREIN; the other kinds run at removal, which a compose never does
    const INSTALL: u64 = 1 << 16 | 1 << 25;
    let flags = header.numbers(tags::TRIGGERFLAGS);
    let names = header.texts(tags::TRIGGERNAME).into_iter().enumerate();
    names
        .filter(|(index, _)| flags.get(*index).is_some_and(|flags| flags & INSTALL != 0))
        .map(|(_, name)| name.into_owned())
        .collect()
}

/// Path prefixes of `%transfiletriggerin`.
pub fn trans_file_triggers(header: &Header) -> Vec<String> {
    const IN: u64 = 1 << 16;
    let flags = header.numbers(tags::TRANSFILETRIGGERFLAGS);
    let names = header.texts(tags::TRANSFILETRIGGERNAME).into_iter().enumerate();
    names
        .filter(|(index, _)| flags.get(*index).is_some_and(|flags| flags & IN != 0))
        .map(|(_, name)| name.into_owned())
        .collect()
}
