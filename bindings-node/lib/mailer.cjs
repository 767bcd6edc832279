'use strict'
// The mailer.

const { EventEmitter } = require('node:events')
const { inspect } = require('node:util')
const native = require('../native.cjs')
const { SendStream } = require('./bulk.cjs')
const { callOf, data, message, receipt, split } = require('./convert.cjs')
const { report, sync, under } = require('./errors.cjs')
const { Login, TokenSource, begin } = require('./tokens.cjs')

// What a person should look at, for loggers.
const WARNINGS = new Set(['warning', 'token.refresh_failed', 'login.required', 'login.expiring', 'credential.expiring', 'recipient.refused',
  'send.failed', 'send.cancelled', 'send.retrying'])

function level(name) {
  if (name === 'smtp.trace') return 'debug'
  return WARNINGS.has(name) ? 'warn' : 'info'
}

class Mailer extends EventEmitter {
  #mailer
  #tokens

  constructor(options, load) {
    super()
    if (load instanceof native.NativeMailer) {
      this.#mailer = load
      return
    }
    const { plain, host, logger } = split(options)
    // Weakly held: an unused mailer may be collected although its events are wired.
    const self = new WeakRef(this)
    const told = (event) => {
      const mailer = self.deref()
      if (logger) logger[level(event.name)]?.(event.fields, event.name)
      mailer?.emit(event.name, event.fields)
    }
    this.#mailer = sync(() => native.NativeMailer.open(plain, load, host.token, host.store, told))
  }

  static fromFile(file, { profile, ...overrides } = {}) {
    return new Mailer(overrides, { file, search: file === undefined, profile, prefix: 'MAILBEARER_' })
  }

  static fromEnv({ prefix = 'MAILBEARER_', ...overrides } = {}) {
    return new Mailer(overrides, { file: process.env.MAILBEARER_CONFIG, prefix })
  }

  get tokens() {
    this.#tokens ??= new TokenSource(undefined, sync(() => this.#mailer.tokens()))
    return this.#tokens
  }

  async send(fields, options) {
    const { signal, call } = callOf(options)
    const sent = await under(signal, call, async () => {
      const { fields: plain, blobs, streams } = await message(fields, signal)
      try {
        return await this.#mailer.send(JSON.stringify(plain), blobs, streams.pulls, call)
      } finally {
        streams.end()
      }
    })
    return receipt(JSON.parse(sent))
  }

  sendMany(messages, options) {
    const { signal, call } = callOf(options)
    return new SendStream(sync(() => this.#mailer.bulk(call)), call, signal, messages)
  }

  async render(fields) {
    const { fields: plain, blobs, streams } = await message(fields)
    return under(undefined, undefined, () => this.#mailer.render(JSON.stringify(plain), blobs, streams.pulls))
  }

  async verify(options = {}) {
    const { sendTo, throwOnFailure = true } = options
    const { signal, call } = callOf(options, ['sendTo', 'throwOnFailure'])
    return report(await under(signal, call, () => this.#mailer.verify(sendTo, !throwOnFailure, call)))
  }

  async warm(options) {
    const { signal, call } = callOf(options)
    await under(signal, call, () => this.#mailer.warm(call))
  }

  async exportMetrics(options = {}) {
    const { endpoint } = options
    const { signal, call } = callOf(options, ['endpoint'])
    await under(signal, call, () => this.#mailer.exportMetrics(endpoint, call))
  }

  forMailbox(username, { from } = {}) {
    const address = from === undefined ? undefined : data(from, 'from', 'config_invalid')
    return new Mailer(undefined, sync(() => this.#mailer.forMailbox(String(username), address)))
  }

  login(options) {
    return begin(this.#mailer, options)
  }

  resumeLogin(saved) {
    return new Login(sync(() => this.#mailer.resumeLogin(saved)))
  }

  logout() {
    return this.tokens.logout()
  }

  get outbox() {
    return this.#mailer.outbox().map(([about, raw]) => ({ ...about, raw }))
  }

  metrics() {
    return this.#mailer.metrics()
  }

  async close({ timeout } = {}) {
    await under(undefined, undefined, () => this.#mailer.close(timeout))
  }

  [inspect.custom]() {
    return 'Mailer {}'
  }
}
if (Symbol.asyncDispose) {
  Mailer.prototype[Symbol.asyncDispose] = function dispose() {
    return this.close()
  }
}

module.exports = { Mailer }
