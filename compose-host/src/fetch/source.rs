//! One repository's URLs and how to read from them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};

use crate::repo::RepoConfig;

/// How often one URL is tried when the connection or the server fails.
const TRIES: u32 = 3;

/// A repository that can be read from.
pub struct Source {
    id: String,
    bases: Vec<String>,
    agent: ureq::Agent,
}

impl Source {
    /// Checks the URLs and reads the certificates.
    pub fn new(config: &RepoConfig) -> Result<Source> {
        if config.baseurl.is_empty() {
            bail!("{}: no baseurl", config.origin);
        }
        for url in &config.baseurl {
            if !["http://", "https://", "file://", "/"].iter().any(|scheme| url.starts_with(scheme)) {
                bail!("{}: baseurl {url:?}: expected http://, https:// or file://", config.origin);
            }
        }
        let agent = agent(config).with_context(|| config.origin.clone())?;
        Ok(Source { id: config.id.clone(), bases: config.baseurl.clone(), agent })
    }

    /// The repository's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Opens `location` below each URL in turn and hands it to `consume`; the first that succeeds is the answer.
    ///
    /// `base` takes the place of the repository's own URLs. `consume` is called again after a failure.
    pub fn open<T>(
        &self,
        base: Option<&str>,
        location: &str,
        consume: &mut dyn FnMut(&mut dyn Read, &str) -> Result<T>,
    ) -> Result<T> {
        let bases: Vec<&str> = match base {
            Some(base) => vec![base],
            None => self.bases.iter().map(String::as_str).collect(),
        };
        let mut errors = Vec::new();
        for base in bases {
            let url = format!("{}/{location}", base.trim_end_matches('/'));
            match self.open_url(&url, consume) {
                Ok(value) => return Ok(value),
                Err(error) => errors.push(format!("{error:#}")),
            }
        }
        Err(anyhow!("{}", errors.join("; ")))
    }

    /// Reads a small file whole.
    pub fn read(&self, location: &str, limit: u64) -> Result<Vec<u8>> {
        self.open(None, location, &mut |input, url| {
            let mut bytes = Vec::new();
            input.take(limit + 1).read_to_end(&mut bytes).with_context(|| url.to_string())?;
            if bytes.len() as u64 > limit {
                bail!("{url}: expected at most {limit} bytes, got more");
            }
            Ok(bytes)
        })
    }

    fn open_url<T>(&self, url: &str, consume: &mut dyn FnMut(&mut dyn Read, &str) -> Result<T>) -> Result<T> {
        if let Some(path) = local_path(url) {
            let mut file = File::open(&path).with_context(|| format!("{}", path.display()))?;
            return consume(&mut file, url);
        }
        let mut tried = 0;
        loop {
            tried += 1;
            let (error, again) = match self.agent.get(url).call() {
                Ok(response) if response.status() == 200 => {
                    match consume(&mut response.into_body().into_reader(), url) {
                        Ok(value) => return Ok(value),
                        // a wrong checksum is as wrong the second time, a cut connection need not be
                        Err(error) => {
                            let again = error.chain().any(|cause| cause.is::<std::io::Error>());
                            (error, again)
                        }
                    }
                }
                Ok(response) => {
                    let status = response.status();
                    (anyhow!("{url}: expected status 200, got {}", status.as_u16()), status.is_server_error())
                }
                Err(error) => (anyhow!("{url}: {error}"), true),
            };
            if !again || tried == TRIES {
                return Err(error);
            }
        }
    }
}

fn local_path(url: &str) -> Option<PathBuf> {
    if url.starts_with('/') {
        return Some(url.into());
    }
    // file:///path and file://localhost/path
    let rest = url.strip_prefix("file://")?;
    Some(rest.strip_prefix("localhost").unwrap_or(rest).into())
}

fn agent(config: &RepoConfig) -> Result<ureq::Agent> {
    let mut tls = TlsConfig::builder().disable_verification(!config.sslverify);
    if let Some(path) = &config.sslcacert {
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates(path)?));
    }
    match (&config.sslclientcert, &config.sslclientkey) {
        (None, None) => {}
        (Some(cert), key) => {
            let key = key.as_ref().unwrap_or(cert);
            let bytes = std::fs::read(key).with_context(|| format!("{}", key.display()))?;
            let key =
                PrivateKey::from_pem(&bytes).with_context(|| format!("{}: no private key", key.display()))?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&certificates(cert)?, key)));
        }
        (None, Some(_)) => bail!("sslclientkey without sslclientcert"),
    }
    let patience = Some(Duration::from_secs(config.timeout_s));
    let mut builder = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(patience)
        .timeout_per_read(patience)
        .timeout_per_write(patience)
        .user_agent("rootling-compose")
        .tls_config(tls.build());
    if let Some(proxy) = &config.proxy {
        builder = builder.proxy(Some(ureq::Proxy::new(proxy).with_context(|| format!("proxy {proxy:?}"))?));
    }
    Ok(builder.build().into())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let bytes = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(&bytes) {
        if let PemItem::Certificate(certificate) = item.with_context(|| format!("{}", path.display()))? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        bail!("{}: no certificate", path.display());
    }
    Ok(found)
}
