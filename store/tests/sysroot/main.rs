//! Deployments from the outside, judged by a check that knows nothing of the code.

mod bootcheck;
mod change;
mod deploy;
mod etc;
mod fixture;
mod oracle;
