'use strict'
// Events: what core tells goes to an emitter's listeners, and to a logger.

const { bound } = require('./context.cjs')

// A logger's function for each of core's levels.
const FUNCTIONS = { debug: 'debug', info: 'info', warning: 'warn' }

// The function that core tells. The emitter is held weakly: an unused mailer may be collected although its events are wired.
function listener(emitter, logger) {
  const held = new WeakRef(emitter)
  return bound((event) => {
    if (logger) logger[FUNCTIONS[event.level]]?.(event.fields, event.name)
    held.deref()?.emit(event.name, event.fields)
  })
}

module.exports = { listener }
