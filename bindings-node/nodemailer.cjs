'use strict'
// A nodemailer transport over a Mailer: nodemailer builds the message, mailbearer sends it.
//
// Most fields of a message are nodemailer's own work: they are in the octets that come here. `dsn` and
// `requireTLSExtensionEnabled` are for the server and are mapped; what only other transports can do is refused by name.

const { MailError } = require('./lib/errors.cjs')
const { version } = require('./package.json')

// nodemailer's word for each group of our numbers, and for some of their own kind.
const GROUPS = ['ECONFIG', 'EMESSAGE', 'EOAUTH2', 'EAUTH', 'EENVELOPE', 'ECONNECTION', 'EOAUTH2', 'EABORT']
const OWN = {
  message_rejected: 'EMESSAGE',
  throttled: 'EMESSAGE',
  quota_exceeded: 'EMESSAGE',
  temporarily_refused: 'EMESSAGE',
  delivery_uncertain: 'ECONNECTION',
  name_not_resolved: 'EDNS',
  tls_failed: 'ETLS',
  certificate_invalid: 'ETLS',
  timed_out: 'ETIMEDOUT',
  protocol_error: 'EPROTOCOL',
  capability_missing: 'EPROTOCOL',
  attachment_unreadable: 'ESTREAM',
  closed: 'ECONNECTION',
}

// The same failure as nodemailer's users know it; ours is its cause.
function translated(error) {
  if (!(error instanceof MailError)) return error
  const { responseCode, response, command, rejected, retryable, delivery, hint, messageId } = error
  const out = new Error(error.message, { cause: error })
  if (error.name === 'AbortError') out.name = 'AbortError'
  const code = wantsRequireTls(error) ? 'EREQUIRETLS' : OWN[error.code] ?? GROUPS[Math.floor(error.number / 100) - 1] ?? 'ECONNECTION'
  return Object.assign(out, { code, responseCode, response, command, retryable, delivery, hint, messageId,
    rejected: rejected.map(({ address }) => address),
    rejectedErrors: rejected.map(({ address, reply }) => Object.assign(new Error(`${reply.code} ${reply.text}`),
      { recipient: address, responseCode: reply.code, response: `${reply.code} ${reply.text}` })) })
}

function transport(mailer) {
  let running = 0
  return {
    name: 'mailbearer',
    version,
    supportsAbortSignal: true,

    send(mail, done) {
      running += 1
      deliver(mailer, mail).then(
        (info) => { running -= 1; done(null, info) },
        (error) => { running -= 1; done(translated(error)) })
    },

    verify(done) {
      const verified = mailer.verify().then(() => true, (error) => { throw translated(error) })
      if (!done) return verified
      verified.then((good) => done(null, good), done)
    },

    isIdle() {
      return running < 16
    },

    // Returns at once, as nodemailer's own does; `await mailer.close()` waits.
    close() {
      mailer.close().catch(() => {})
    },
  }
}

// The server cannot do what RFC 8689 asks of it.
function wantsRequireTls(error) {
  return error.code === 'capability_missing' && error.message.includes('REQUIRETLS')
}

// A mistake in the message, as nodemailer says it.
function refused(code, field, what) {
  return Object.assign(new Error(`\`${field}\` ${what}`), { code, command: 'API' })
}

// What the server is asked for besides: nodemailer takes it beside the message or in its envelope.
function requests(data, envelope) {
  for (const [field, cure] of Object.entries(OTHERS)) if (data[field] != null) throw refused('ECONFIG', field, cure)
  const dsn = data.dsn ?? envelope.dsn
  const requireTls = data.requireTLSExtensionEnabled ?? envelope.requireTLSExtensionEnabled
  return { ...(dsn && { dsn: reports(dsn) }), ...(requireTls && { requireTls: true }) }
}

// nodemailer's `dsn` as ours.
function reports({ ret, return: also, envid, id, notify, orcpt, recipient, ...unknown }) {
  const wrong = (field, what) => refused('EENVELOPE', `dsn.${field}`, what)
  const [extra] = Object.keys(unknown)
  if (extra !== undefined) throw wrong(extra, 'is no field of a DSN')
  if (orcpt ?? recipient) throw wrong(orcpt ? 'orcpt' : 'recipient', 'is left to us: each recipient goes as its own ORCPT')
  const back = (ret ?? also)?.toString().toLowerCase()
  if (back && !(back in RETURN)) throw wrong(ret ? 'ret' : 'return', 'is FULL or HDRS')
  const words = typeof notify === 'string' ? notify.split(',') : notify
  return {
    ...(words && { notify: words.map((word) => String(word).trim().toLowerCase()) }),
    ...(back && { return: RETURN[back] }),
    ...((envid ?? id) && { envelopeId: String(envid ?? id) }),
  }
}
const RETURN = { full: 'full', body: 'full', hdrs: 'headers', headers: 'headers' }

// Fields of a message that belong to other transports.
const OTHERS = {
  auth: 'of a message: this transport signs in with its mailer\'s own tokens. Make a transport of `mailer.forMailbox(user)` for another mailbox',
  ses: 'is for the SES transport',
}

async function deliver(mailer, mail) {
  const envelope = mail.message.getEnvelope()
  const { from, to } = envelope
  const receipt = await mailer.send(
    { raw: mail.message.createReadStream(), envelope: { mailFrom: from || '', rcptTo: to }, ...requests(mail.data, envelope) },
    { signal: mail.data.signal ?? undefined })
  const { reply } = receipt
  return {
    envelope: { from, to },
    messageId: mail.message.messageId(),
    accepted: receipt.accepted,
    rejected: receipt.rejected.map(({ address }) => address),
    response: `${reply.code} ${reply.text}`,
    receipt,
  }
}

module.exports = { transport }
