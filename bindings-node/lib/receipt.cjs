'use strict'
// What comes back across the border, as JavaScript has it: receipts, results, accounts.

const { MailError } = require('./errors.cjs')

// Core's receipt with JavaScript's names.
function receipt(found) {
  const timings = {}
  for (const stage in found.timings) timings[`${stage}Ms`] = found.timings[stage] * 1000
  return {
    messageId: found.message_id,
    serverMessageId: found.server_message_id,
    tag: found.tag,
    accepted: found.accepted,
    rejected: found.rejected,
    reply: found.reply,
    envelope: { mailFrom: found.envelope.mail_from, rcptTo: found.envelope.rcpt_to },
    size: found.size,
    attempts: found.attempts,
    sentAt: new Date(found.sent_at),
    timings,
  }
}

function result(found) {
  return {
    index: found.index,
    tag: found.tag,
    messageId: found.message_id,
    outcome: found.outcome,
    receipt: found.receipt && receipt(found.receipt),
    error: found.error && new MailError(found.error),
  }
}

function account(found) {
  return found && { ...found, refreshExpiresAt: found.refreshExpiresAt && new Date(found.refreshExpiresAt) }
}

module.exports = { account, receipt, result }
