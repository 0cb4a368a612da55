//! A certificate authority of the fake server's own, and a server certificate for the names it stands in for.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::FakeError;

/// Names that the server certificate holds; more can be added by the builder.
pub(crate) const NAMES: [&str; 9] = [
    "api.anthropic.com",
    "platform.claude.com",
    "console.anthropic.com",
    "claude.com",
    "claude.ai",
    "generativelanguage.googleapis.com",
    "localhost",
    "127.0.0.1",
    "::1",
];

/// What the server presents and what clients must trust.
pub(crate) struct Tls {
    pub(crate) ca_pem: String,
    pub(crate) config: Arc<ServerConfig>,
}

impl Tls {
    pub(crate) fn generate(more_names: &[String]) -> Result<Self, FakeError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name.push(DnType::CommonName, "Cofferdam practice CA");
        let ca_pem = ca.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(ca, ca_key);

        let names: Vec<String> =
            NAMES.iter().map(|name| (*name).to_owned()).chain(more_names.iter().cloned()).collect();
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(names)?;
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.distinguished_name.push(DnType::CommonName, "Cofferdam practice API");
        let chain = vec![leaf.signed_by(&key, &issuer)?.der().clone()];

        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { ca_pem, config: Arc::new(config) })
    }
}
