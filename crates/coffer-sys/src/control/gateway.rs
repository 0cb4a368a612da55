//! What `coffer-init` and the gateway of its run say to each other, over a socket of their own.
//!
//! Sockets that are made inside belong to the sandbox's network for as long as they live, whoever holds them. So init
//! makes them and passes them out; no byte of a connection goes through it.

use super::wire::{Message, WireError};

/// From init to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToGateway {
    /// The next listening socket is passed with this message, in the order of init's options.
    Listening,
    /// Two sockets that were asked for are passed with this message: one of IPv4 and one of IPv6, both not connected
    /// yet. None is passed when there are none to be had.
    Sockets,
}

/// From the gateway to init.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromGateway {
    /// Connections are taken: the agent may start.
    Serving,
    /// Sockets are wanted that connect inside.
    Sockets,
}

impl Message for ToGateway {
    fn encode(&self) -> Vec<u8> {
        vec![match self {
            Self::Listening => 1,
            Self::Sockets => 2,
        }]
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        match bytes {
            [1] => Ok(Self::Listening),
            [2] => Ok(Self::Sockets),
            [tag] => Err(WireError::UnknownTag(*tag)),
            _ => Err(WireError::WrongLength),
        }
    }
}

impl Message for FromGateway {
    fn encode(&self) -> Vec<u8> {
        vec![match self {
            Self::Serving => 1,
            Self::Sockets => 2,
        }]
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        match bytes {
            [1] => Ok(Self::Serving),
            [2] => Ok(Self::Sockets),
            [tag] => Err(WireError::UnknownTag(*tag)),
            _ => Err(WireError::WrongLength),
        }
    }
}
