//! Logins: secrets, credential files, leases.
#![forbid(unsafe_code)]
