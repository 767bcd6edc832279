'use strict'
// One error for everything: core's fields, and nodemailer's names beside them.

const native = require('../native.cjs')
const { isError } = require('./values.cjs')

class MailError extends Error {
  constructor(fields, options) {
    super(fields.message, options)
    this.name = 'MailError'
    const { message, retryAfter, ...rest } = fields
    Object.assign(this, rest)
    this.retryAfterMs = retryAfter == null ? null : Math.round(retryAfter * 1000)
    if (fields.smtp) {
      this.responseCode = fields.smtp.code
      this.response = `${fields.smtp.code} ${fields.smtp.enhanced ? `${fields.smtp.enhanced} ` : ''}${fields.smtp.text}`
      this.command = fields.smtp.command ?? undefined
    }
    if (fields.report) this.report = report(fields.report)
  }

  toJSON() {
    return { name: this.name, message: this.message, ...this }
  }

  // Knows errors of another copy of this module, too: Jest and Vitest load one for each realm.
  static [Symbol.hasInstance](value) {
    if (this !== MailError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return isError(value) && value[BRAND] === true
  }
}
const BRAND = Symbol.for('mailbearer.MailError')
Object.defineProperty(MailError.prototype, BRAND, { value: true })

function report(found) {
  const { text, ...rest } = found
  const shown = () => text ?? rest.findings.map((f) => [f.status, f.link, f.seen, f.means, f.do].filter(Boolean).join(' · ')).join('\n')
  return Object.defineProperty({ ...rest }, 'toString', { value: shown, enumerable: false })
}

// The native half puts core's error, as JSON, into the message of a plain one.
function understood(error) {
  if (!isError(error) || !error.message.startsWith('{')) return error
  return new MailError(JSON.parse(error.message))
}

// An error that is found on this side of the border.
function invalid(code, field, message, hint) {
  return new MailError(JSON.parse(native.makeError(code, field, message, hint)))
}

// What an aborted call rejects with.
function cancelled(signal) {
  return aborted(invalid('cancelled', null, 'the call was cancelled'), signal)
}

function aborted(error, signal) {
  error.code = 'cancelled'
  error.name = 'AbortError'
  error.cause = signal.reason
  return error
}

function sync(work) {
  try {
    return work()
  } catch (error) {
    throw understood(error)
  }
}

// Runs native work under a signal: an abort cancels it, and the verdict is kept.
async function under(signal, call, work) {
  if (signal?.aborted) throw cancelled(signal)
  const cancel = () => call.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  const here = new Error()
  try {
    return await work()
  } catch (error) {
    const known = understood(error)
    if (known instanceof MailError) {
      if (signal?.aborted && ['cancelled', 'delivery_uncertain'].includes(known.code)) {
        aborted(known, signal)
      }
      known.stack = `${known.name}: ${known.message}\n${here.stack.split('\n').slice(2).join('\n')}`
    }
    throw known
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

module.exports = { MailError, cancelled, invalid, report, sync, under, understood }
