'use strict'
// Events: what core tells goes to an emitter's listeners, and to a logger.

const { bound } = require('./context.cjs')

// What a person should look at, for loggers.
const WARNINGS = new Set(['warning', 'token.refresh_failed', 'login.required', 'login.expiring', 'credential.expiring', 'recipient.refused',
  'send.failed', 'send.cancelled', 'send.retrying'])

function level(name) {
  if (name === 'smtp.trace') return 'debug'
  return WARNINGS.has(name) ? 'warn' : 'info'
}

// The function that core tells. The emitter is held weakly: an unused mailer may be collected although its events are wired.
function listener(emitter, logger) {
  const held = new WeakRef(emitter)
  return bound((event) => {
    if (logger) logger[level(event.name)]?.(event.fields, event.name)
    held.deref()?.emit(event.name, event.fields)
  })
}

module.exports = { listener }
