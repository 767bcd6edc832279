'use strict'
// One call's own limits.

const native = require('../native.cjs')
const { invalid } = require('./errors.cjs')

// The native half of a call, and its signal. `known` are the options that the call has besides.
function callOf(options = {}, known = []) {
  const { signal, timeout, partial, ...rest } = options ?? {}
  const unknown = Object.keys(rest).find((key) => !known.includes(key))
  if (unknown !== undefined) throw invalid('config_invalid', unknown, `unknown option \`${unknown}\` of a call`)
  if (signal != null && typeof signal.addEventListener !== 'function') {
    throw invalid('config_invalid', 'signal', '`signal` is no AbortSignal')
  }
  return { signal: signal ?? undefined, call: new native.NativeCall(duration('timeout', timeout), text('partial', partial)) }
}

// A duration as the native half reads it.
function duration(name, value) {
  return text(name, value, 'Write a duration with its unit, such as "30s".')
}

function text(name, value, hint) {
  if (value == null || typeof value === 'string') return value ?? undefined
  throw invalid('config_invalid', name, `\`${name}\` must be a string, not ${typeof value}`, hint)
}

module.exports = { callOf, duration, text }
