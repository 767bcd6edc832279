//! A mail transaction: MAIL, RCPT, then DATA or BDAT (RFC 3030), and the verdict on the message.

use std::sync::OnceLock;

use super::command::Path;
use super::data::DataReader;
use super::envelope::Envelope;
use super::reply::Reply;
use super::session::Session;
use super::wire::Closed;
use crate::config::SendAs;
use crate::fault::Point;
use crate::mime;
use crate::received::Received;

/// How a body came in.
enum Body {
    /// None if it was larger than allowed.
    Whole(Option<Vec<u8>>),
    /// It was refused while it came; that was the reply.
    Refused,
}

impl Session {
    pub(super) async fn mail(&mut self, line: &str, path: Path) -> Result<(), Closed> {
        let normal = self.judge_mail(&path);
        let unknown = self.user.is_none() && normal.is_positive();
        let mut settled = self.decide(Point::Mail, line, normal.clone()).await?;
        let mut refusal = self.delay(&mut settled, normal);
        if unknown && refusal.is_none() {
            refusal = Some(self.words.auth_first(self.now()));
        }
        if settled.effective {
            self.envelope = Some(Envelope { from: path, refusal, ..Envelope::default() });
        }
        self.emit(settled).await
    }

    fn judge_mail(&self, path: &Path) -> Reply {
        let words = &self.words;
        if self.hello.is_none() {
            return words.need("hello");
        }
        if self.user.is_none() && !self.config.delayed_refusals {
            return words.auth_first(self.now());
        }
        if self.envelope.is_some() {
            // The envelope that was accepted first stays.
            return words.nested_mail();
        }
        let offers = |keyword| words.offers(&self.config, keyword);
        for param in &path.params {
            let (name, value) = param.split_once('=').unwrap_or((param, ""));
            let known = match name.to_ascii_uppercase().as_str() {
                "SIZE" => offers("SIZE") && value.parse::<u64>().is_ok(),
                "BODY" => match value.to_ascii_uppercase().as_str() {
                    "7BIT" | "8BITMIME" => offers("8BITMIME"),
                    "BINARYMIME" => offers("BINARYMIME") && offers("CHUNKING"),
                    _ => false,
                },
                "SMTPUTF8" => offers("SMTPUTF8") && value.is_empty(),
                "RET" | "ENVID" => offers("DSN"),
                "REQUIRETLS" => offers("REQUIRETLS") && value.is_empty(),
                "HOLDFOR" => offers("FUTURERELEASE") && value.parse::<u64>().is_ok(),
                "HOLDUNTIL" => offers("FUTURERELEASE") && value.contains('T'),
                "AUTH" => true,
                _ => false,
            };
            if !known {
                return words.bad_parameter();
            }
        }
        let size = path.param("SIZE").and_then(|size| size.parse::<u64>().ok());
        if size.is_some_and(|size| size > words.size_limit(&self.config)) {
            return words.too_large();
        }
        if !path.address.is_ascii() && path.param("SMTPUTF8").is_none() {
            return words.bad_address(true);
        }
        words.mail()
    }

    pub(super) async fn rcpt(&mut self, line: &str, path: Path) -> Result<(), Closed> {
        let normal = self.judge_rcpt(&path);
        let settled = self.decide(Point::Rcpt, line, normal).await?;
        if settled.effective
            && let Some(envelope) = &mut self.envelope
        {
            envelope.recipients.push(path);
        }
        self.emit(settled).await
    }

    fn judge_rcpt(&self, path: &Path) -> Reply {
        let words = &self.words;
        let Some(envelope) = &self.envelope else {
            return words.need("mail");
        };
        if envelope.chunked {
            return words.out_of_order();
        }
        if envelope.recipients.len() >= words.recipient_limit(&self.config) {
            return words.too_many_recipients();
        }
        let known = path.params.iter().all(|param| {
            let name = param.split('=').next().unwrap_or_default();
            ["NOTIFY", "ORCPT"].iter().any(|known| known.eq_ignore_ascii_case(name))
                && words.offers(&self.config, "DSN")
        });
        if !known {
            return words.bad_parameter();
        }
        if !path.address.is_ascii() && envelope.from.param("SMTPUTF8").is_none() {
            return words.bad_address(false);
        }
        self.client_refusal.as_ref().or(envelope.refusal.as_ref()).cloned().unwrap_or_else(|| words.rcpt())
    }

    pub(super) async fn data(&mut self) -> Result<(), Closed> {
        let (normal, text) = match &self.envelope {
            None => (self.words.need("mail"), "DATA".to_owned()),
            Some(envelope) => {
                let binary =
                    envelope.from.param("BODY").is_some_and(|body| body.eq_ignore_ascii_case("BINARYMIME"));
                let reply = if envelope.chunked || binary {
                    self.words.out_of_order()
                } else if envelope.recipients.is_empty() {
                    self.words.need("rcpt")
                } else {
                    self.words.data()
                };
                (reply, envelope.text("DATA"))
            }
        };
        let settled = self.decide(Point::Data, &text, normal).await?;
        let goes_on = settled.effective;
        self.emit(settled).await?;
        if !goes_on {
            return Ok(());
        }
        let body = self.read_data(&text).await?;
        let envelope = self.envelope.take().unwrap_or_default();
        match body {
            Body::Refused => Ok(()),
            Body::Whole(body) => self.end(envelope, body).await,
        }
    }

    async fn read_data(&mut self, text: &str) -> Result<Body, Closed> {
        let mut reader = DataReader::new(self.words.size_limit(&self.config));
        let mut refused = None;
        loop {
            if !self.wire.waiting().is_empty() {
                if refused.is_none() {
                    refused = Some(self.body_fault(text).await?);
                }
                let taken = reader.take(self.wire.waiting());
                self.wire.consume(taken);
            }
            if reader.is_done() {
                break;
            }
            self.wire.flush().await?;
            let idle = self.idle();
            self.wire.fill(idle).await?;
        }
        if refused == Some(true) {
            return Ok(Body::Refused);
        }
        Ok(Body::Whole(reader.into_body()))
    }

    /// Plays a fault while a body arrives. True if the fault has refused the body; then no other reply follows.
    async fn body_fault(&mut self, text: &str) -> Result<bool, Closed> {
        let Some(fault) = self.shared.take_fault(Point::Body, text) else {
            return Ok(false);
        };
        let settled = self.settle(Some(fault), Reply(Vec::new())).await?;
        let refused = !settled.reply.0.is_empty() && !settled.reply.is_positive();
        self.emit(settled).await?;
        self.wire.flush().await?;
        Ok(refused)
    }

    /// A chunk. Whatever is wrong, its octets are taken off the wire first (RFC 3030 §2).
    pub(super) async fn bdat(&mut self, line: &str, size: u64, last: bool) -> Result<(), Closed> {
        let trouble = match &self.envelope {
            None => Some(self.words.need("mail")),
            Some(envelope) if envelope.recipients.is_empty() => Some(self.words.need("rcpt")),
            Some(envelope) => {
                let whole = envelope.chunks.len() as u64;
                (whole.saturating_add(size) > self.words.size_limit(&self.config))
                    .then(|| self.words.too_large())
            }
        };
        let refused = self.read_chunk(size, trouble.is_none()).await?;
        if refused {
            self.envelope = None;
            return Ok(());
        }
        if let Some(trouble) = trouble {
            // After a failed chunk the transaction is over; the chunks behind it find no MAIL.
            self.envelope = None;
            return self.answer(trouble);
        }
        if last {
            let mut envelope = self.envelope.take().unwrap_or_default();
            let body = std::mem::take(&mut envelope.chunks);
            return self.end(envelope, Some(body)).await;
        }
        let settled = self.decide(Point::Bdat, line, self.words.chunk(size)).await?;
        if !settled.effective {
            self.envelope = None;
        }
        self.emit(settled).await
    }

    async fn read_chunk(&mut self, size: u64, keep: bool) -> Result<bool, Closed> {
        let mut left = size;
        let mut refused = false;
        let text = match &mut self.envelope {
            Some(envelope) if keep => {
                envelope.chunked = true;
                envelope.text("BDAT")
            }
            _ => "BDAT".to_owned(),
        };
        while left > 0 {
            let waiting = self.wire.waiting().len();
            if waiting == 0 {
                self.wire.flush().await?;
                let idle = self.idle();
                self.wire.fill(idle).await?;
                continue;
            }
            if left == size && keep {
                refused = self.body_fault(&text).await?;
            }
            let part = usize::try_from(left).unwrap_or(usize::MAX).min(waiting);
            if keep
                && !refused
                && let Some(envelope) = &mut self.envelope
            {
                envelope.chunks.extend_from_slice(&self.wire.waiting()[..part]);
            }
            self.wire.consume(part);
            left -= part as u64;
        }
        Ok(refused)
    }

    /// Decides on a message that has arrived whole.
    async fn end(&mut self, envelope: Envelope, body: Option<Vec<u8>>) -> Result<(), Closed> {
        let now = self.now();
        let username = self.user.as_ref().map_or("", |user| &user.username).to_owned();
        let head = mime::head(body.as_deref().unwrap_or_default());
        let (message_id, subject) = (head.message_id(), head.subject());
        let normal = if body.is_none() {
            self.words.too_large()
        } else if envelope.recipients.is_empty() {
            self.words.no_recipients()
        } else if let Some(other) = self.denied(&envelope, &head, &username) {
            self.words.send_as_denied(&username, &other)
        } else {
            let shown = match message_id.as_str() {
                "" => self.words.own_message_id(),
                message_id => message_id.to_owned(),
            };
            self.words.queued(&shown, now)
        };
        let text = format!("{} Message-ID: {message_id} Subject: {subject}", envelope.text("END"));
        let settled = self.decide(Point::End, &text, normal).await?;
        let dropped = self.config.drop_duplicates
            && !message_id.is_empty()
            && self.shared.lock().inbox.has_id(&message_id);
        if let Some(raw) = body
            && settled.effective
            && !envelope.recipients.is_empty()
        {
            self.delivered = true;
            if !dropped {
                self.keep(envelope, raw, message_id, subject);
            }
        }
        self.emit(settled).await
    }

    fn keep(&self, envelope: Envelope, raw: Vec<u8>, message_id: String, subject: String) {
        let (username, mechanism) = self
            .user
            .as_ref()
            .map_or_else(Default::default, |user| (user.username.clone(), user.mechanism.clone()));
        let (rcpt_to, rcpt_params) =
            envelope.recipients.into_iter().map(|path| (path.address, path.params)).unzip();
        self.shared.deliver(Received {
            number: 0,
            mail_from: envelope.from.address,
            rcpt_to,
            size: raw.len(),
            raw,
            username,
            mechanism,
            received_at: self.now(),
            message_id,
            subject,
            mail_params: envelope.from.params,
            rcpt_params,
            hello: self.hello.clone().unwrap_or_default(),
            connection: self.number,
            chunked: envelope.chunked,
            words: OnceLock::new(),
        });
    }

    /// The sender that this mailbox may not use, if there is one.
    fn denied(&self, envelope: &Envelope, head: &mime::Reading<'_>, username: &str) -> Option<String> {
        if self.config.send_as == SendAs::Allow {
            return None;
        }
        let mut senders = head.senders();
        if !envelope.from.address.is_empty() {
            senders.push(envelope.from.address.clone());
        }
        senders.into_iter().find(|sender| {
            let listed = match &self.config.send_as {
                SendAs::Only(others) => others.iter().any(|other| other.eq_ignore_ascii_case(sender)),
                SendAs::Allow | SendAs::Deny => false,
            };
            !listed && !sender.eq_ignore_ascii_case(username)
        })
    }
}
