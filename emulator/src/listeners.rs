//! The sockets: a port for each server, free or fixed, on the loopback interface or where the options say.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::config::{Options, Ports};

/// Open ports of all servers.
pub(crate) struct Listeners {
    pub(crate) page: Listener,
    pub(crate) sign_in: Listener,
    pub(crate) smtp: Listener,
    pub(crate) smtps: Listener,
}

/// One port on one address, or the same port on both loopback addresses.
pub(crate) struct Listener {
    pub(crate) sockets: Vec<TcpListener>,
    pub(crate) port: u16,
}

impl Listeners {
    /// # Errors
    /// Names the option whose port or address cannot be had.
    pub(crate) async fn bind(listen: Option<IpAddr>, ports: Ports) -> io::Result<Self> {
        Ok(Self {
            page: Listener::bind(listen, "page", ports.page).await?,
            sign_in: Listener::bind(listen, "sign_in", ports.sign_in).await?,
            smtp: Listener::bind(listen, "smtp", ports.smtp).await?,
            smtps: Listener::bind(listen, "smtps", ports.smtps).await?,
        })
    }
}

impl Listener {
    async fn bind(listen: Option<IpAddr>, option: &str, port: u16) -> io::Result<Self> {
        let said = |error: io::Error, address: IpAddr| {
            let text =
                format!("cannot listen on {} (`ports.{option}`): {error}", SocketAddr::new(address, port));
            io::Error::new(error.kind(), text)
        };
        if let Some(address) = listen {
            let socket = TcpListener::bind((address, port)).await.map_err(|error| said(error, address))?;
            let port = socket.local_addr()?.port();
            return Ok(Self { sockets: vec![socket], port });
        }
        // `localhost` may mean either address first; a free port that is taken on one of them is tried anew.
        for _ in 0..32 {
            let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .await
                .map_err(|error| said(error, Ipv4Addr::LOCALHOST.into()))?;
            let free = v4.local_addr()?.port();
            match TcpListener::bind((Ipv6Addr::LOCALHOST, free)).await {
                Ok(v6) => return Ok(Self { sockets: vec![v4, v6], port: free }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && port == 0 => {}
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    return Err(said(error, Ipv6Addr::LOCALHOST.into()));
                }
                // This machine has no IPv6.
                Err(_) => return Ok(Self { sockets: vec![v4], port: free }),
            }
        }
        Err(io::Error::other("no port is free on both loopback addresses"))
    }
}

/// The name under which clients find the emulator.
pub(crate) struct HostName(String);

impl HostName {
    /// The name that the options give, else the address that they listen on, else `localhost`.
    ///
    /// # Errors
    /// When the name cannot be a host's.
    pub(crate) fn of(options: &Options) -> Result<Self, String> {
        match (&options.hostname, options.listen) {
            (Some(name), _) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
                if name.is_empty() || name.len() > 253 || !name.chars().all(plain) {
                    return Err(format!("`hostname` `{}` is not a host's name", name.escape_debug()));
                }
                Ok(Self(name.to_ascii_lowercase()))
            }
            (None, Some(address)) if !address.is_unspecified() && !address.is_loopback() => {
                Ok(Self(address.to_string()))
            }
            _ => Ok(Self("localhost".into())),
        }
    }

    /// As a mail program's option has it.
    pub(crate) fn plain(&self) -> &str {
        &self.0
    }

    /// As a URL has it.
    pub(crate) fn in_url(&self) -> String {
        if self.0.contains(':') { format!("[{}]", self.0) } else { self.0.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_what_clients_can_reach() {
        let name = |listen: &str, hostname: Option<&str>| {
            let listen = (!listen.is_empty()).then(|| listen.parse().unwrap());
            let options = Options { listen, hostname: hostname.map(str::to_owned), ..Options::default() };
            HostName::of(&options).map(|name| name.in_url())
        };
        assert_eq!(name("", None).unwrap(), "localhost");
        assert_eq!(name("0.0.0.0", None).unwrap(), "localhost");
        assert_eq!(name("192.0.2.7", None).unwrap(), "192.0.2.7");
        assert_eq!(name("2001:db8::7", None).unwrap(), "[2001:db8::7]");
        assert_eq!(name("0.0.0.0", Some("Emulator")).unwrap(), "emulator");
        assert!(name("", Some("a b")).is_err() && name("", Some("")).is_err());
    }
}
