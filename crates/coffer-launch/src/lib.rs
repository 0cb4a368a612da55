//! Plan to launch to process.
//!
//! [`backend::lower`] turns a checked plan into a [`launch::Launch`], which is data; [`run::run`] performs
//! one: it prepares folders, resolves references, starts the backend and supervises it.
#![forbid(unsafe_code)]

pub mod backend;
pub mod launch;
pub mod run;
pub mod supervise;
