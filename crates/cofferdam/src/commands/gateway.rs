//! `coffer gateway`: the gateway alone, in front of containers, of other people's sandboxes, of anything.
//!
//! It serves until it is ended. It learns by itself of tokens that are made and taken away, and of changes of the
//! user's configuration.

pub(super) mod token;

use std::os::fd::AsFd as _;

use coffer_account::tokens::Tokens;
use coffer_account::waiter::Waiter;
use coffer_account::watch::LoginWatch;
use coffer_host::now_ms;
use coffer_sys::signals::SignalEvents;
use rustix::process::Signal;
use sd_notify::NotifyState;

use super::serve::{notify, quoted};
use crate::cli::{GatewayCommand, GatewayUnit, GatewayVerb};
use crate::error::Error;
use crate::exit::Failure;
use crate::gateway::alone::sockets::{self, Listening};
use crate::gateway::alone::{self, AloneError};
use crate::printer::Printer;

/// The units; what is in braces is filled in.
const SERVICE: &str = include_str!("gateway/coffer-gateway.service");
const SOCKET: &str = include_str!("gateway/coffer-gateway.socket");

pub(crate) fn gateway(command: &GatewayCommand, printer: &Printer) -> Result<u8, Failure> {
    match (&command.verb, command.unit) {
        (Some(GatewayVerb::Token(command)), _) => token::token(command, printer),
        (None, Some(unit)) => print_units(unit, printer),
        (None, None) => serve(command, printer),
    }
}

fn print_units(unit: Option<GatewayUnit>, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base()?;
    let service = SERVICE.replace("{coffer}", &quoted(&facts.coffer));
    match unit {
        Some(GatewayUnit::Socket) => printer.data(SOCKET)?,
        Some(GatewayUnit::Service) => printer.data(&service)?,
        None => printer.data(&format!("{SOCKET}\n{service}"))?,
    }
    Ok(0)
}

fn serve(command: &GatewayCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base()?;
    // Before any thread is made, so that all of them leave the signals to us.
    let signals = SignalEvents::block(&[Signal::TERM, Signal::INT, Signal::HUP]);
    let signals = signals.map_err(|source| Error::Watch { source })?;
    let tokens = Tokens::of(&facts.folders.data);
    tokens.folder().map_err(AloneError::from)?;
    // Watched before they are read: no change goes unseen.
    let mut of_tokens = LoginWatch::new(&tokens.file()).map_err(|source| Error::Watch { source })?;
    let Listening { sockets, places, made } = sockets::open(&command.listen, &facts.folders.runtime)?;
    let open = alone::open(sockets, &facts, printer)?;
    let places = format!("listens on {}", places.join(", "));
    printer.tell(&format!("{places}\n"));
    notify(&[NotifyState::Status(&places), NotifyState::Ready]);
    let waiter = Waiter::new().map_err(|source| Error::Watch { source })?;
    loop {
        let next_ms = open.book.turn(now_ms());
        if signals.next().map_err(|source| Error::Watch { source })?.is_some() {
            break;
        }
        waiter
            .until(next_ms, &[signals.as_fd(), of_tokens.as_fd()])
            .map_err(|source| Error::Watch { source })?;
        // What has changed is found by looking at it.
        of_tokens.changed().map_err(|source| Error::Watch { source })?;
    }
    notify(&[NotifyState::Stopping]);
    open.close();
    // Only now may another one take the place.
    drop(made);
    Ok(0)
}
