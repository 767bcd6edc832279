'use strict'
// A nodemailer transport over a Mailer: nodemailer builds the message, mailbearer sends it.

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
  const code = OWN[error.code] ?? GROUPS[Math.floor(error.number / 100) - 1] ?? 'ECONNECTION'
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

async function deliver(mailer, mail) {
  const { from, to } = mail.message.getEnvelope()
  const pieces = []
  for await (const piece of mail.message.createReadStream()) pieces.push(piece)
  const receipt = await mailer.send(
    { raw: Buffer.concat(pieces), envelope: { mailFrom: from || '', rcptTo: to } },
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
