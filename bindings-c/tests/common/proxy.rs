//! What may happen between client and server, octet for octet.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;

use mailbearer_emulator::Emulator;

/// Passes connections on to `port`, and cuts the n-th one behind the n-th piece from the server: FIN, then
/// RST, so that the client's next write finds the connection closed. Gives its own port.
pub(crate) fn cut_connections(port: u16) -> u16 {
    listen(port, move |n, at, client, piece, upwards| {
        if at < n {
            client.write_all(piece)?;
            return Ok(true);
        }
        // The other thread's copy of the socket must be gone, or there is no RST.
        client.shutdown(Shutdown::Read)?;
        let _ = upwards.take().map(JoinHandle::join);
        client.write_all(piece)?;
        client.shutdown(Shutdown::Write)?;
        socket2::SockRef::from(&*client).set_linger(Some(Duration::ZERO))?;
        Ok(false)
    })
}

/// Passes a connection on to the STARTTLS port, but for what the server says once it has a message: then
/// that is told instead. Gives its own port.
pub(crate) fn withhold_the_last_reply(emulator: Arc<Emulator>) -> (u16, Receiver<()>) {
    let (tell, told) = mpsc::channel();
    let port = listen(emulator.smtp_port(), move |_, _, client, piece, _| {
        if emulator.messages().is_empty() {
            client.write_all(piece)?;
        } else {
            let _ = tell.send(());
        }
        Ok(true)
    });
    (port, told)
}

type Upwards = Option<JoinHandle<io::Result<u64>>>;

/// `(connection, index, client, octets, …)`: deals with a piece from the server, and says whether to go on.
type Piece = dyn Fn(usize, usize, &mut TcpStream, &[u8], &mut Upwards) -> io::Result<bool>;

/// Accepts connections one after the other.
fn listen(
    port: u16,
    piece: impl Fn(usize, usize, &mut TcpStream, &[u8], &mut Upwards) -> io::Result<bool> + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let ours = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (n, client) in listener.incoming().take(100).map_while(Result::ok).enumerate() {
            // A connection that breaks is what these tests are about.
            let _ = pass_on(n, client, port, &piece);
        }
    });
    ours
}

fn pass_on(n: usize, mut client: TcpStream, port: u16, piece: &Piece) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let mut upwards = Some(std::thread::spawn(move || io::copy(&mut from, &mut to)));
    let mut octets = [0; 16 * 1024];
    for at in 0.. {
        let count = server.read(&mut octets)?;
        if count == 0 || !piece(n, at, &mut client, &octets[..count], &mut upwards)? {
            break;
        }
    }
    Ok(())
}
