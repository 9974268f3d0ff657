//! Remotes: what a `[remote "NAME"]` group says, and nothing of it ignored.
//!
//! Keys are those of ostree.repo-config(5). A key that would change what we do but is not
//! supported is refused by name, and so is a key nobody knows: either may be somebody's security.
//!
//! | key | here |
//! |---|---|
//! | `url`, `contenturl` | `http:`, `https:`, `file:`; `mirrorlist=` is refused |
//! | `branches` | what a pull without refs fetches |
//! | `gpg-verify`, `gpg-verify-summary` | `false` is fine, anything else is refused |
//! | `sign-verify` | absent, `true` or `ed25519`: a signature is required; `false`: unsigned is accepted |
//! | `sign-verify-summary` | the same for the summary; absent means `false` |
//! | `verification-ed25519-key`, `-file` | keys; without them those in `/etc/ostree` and `/usr/share/ostree` |
//! | `collection-id` | the commit must name the same collection |
//! | `tls-ca-path`, `tls-client-cert-path`, `tls-client-key-path`, `tls-permissive` | as named |
//! | `proxy` | an HTTP proxy; without it the environment's |
//! | `http2` | checked, without effect: HTTP/1.1 is spoken |
//! | `unconfigured-state` | refused with the text it holds |
//! | `metalink`, `custom-backend`, `gpgkeypath` and any other | refused |

pub mod edit;
pub mod keys;
mod parse;
pub mod read;

pub use parse::parse;

/// A remote, as its configuration describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The name in refspecs.
    pub name: String,
    /// Where commits, refs and the summary are.
    pub url: String,
    /// Where content objects are, if elsewhere.
    pub content_url: Option<String>,
    /// What a pull without refs fetches.
    pub branches: Vec<String>,
    /// Whether commits need a signature.
    pub signed: bool,
    /// Whether the summary needs a signature.
    pub summary_signed: bool,
    /// The keys named by the remote itself.
    pub keys: Vec<KeySource>,
    /// The collection its commits must belong to.
    pub collection: Option<String>,
    /// TLS settings.
    pub tls: Tls,
    /// The proxy to go through.
    pub proxy: Option<String>,
    /// The sysroot or `/`, where paths in this remote start.
    pub origin: String,
}

/// Where a key of a remote comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Base64 in the configuration.
    Inline(String),
    /// A file with one base64 key a line.
    File(String),
}

/// How TLS is set up for a remote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of root certificates instead of the system's.
    pub ca_path: Option<String>,
    /// PEM file of the client's certificate chain.
    pub client_cert: Option<String>,
    /// PEM file of the client's key.
    pub client_key: Option<String>,
    /// Accept any certificate; commits must still be signed as configured.
    pub permissive: bool,
}
