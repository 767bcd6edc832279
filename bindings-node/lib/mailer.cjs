'use strict'
// The mailer.

const { EventEmitter } = require('node:events')
const { inspect } = require('node:util')
const native = require('../native.cjs')
const { SendStream } = require('./bulk.cjs')
const { callOf, duration, text } = require('./call.cjs')
const { data } = require('./data.cjs')
const { environment } = require('./environment.cjs')
const { MailError, report, sync, under } = require('./errors.cjs')
const { listener } = require('./events.cjs')
const { fromEnv, fromFile } = require('./load.cjs')
const { Login, begin } = require('./login.cjs')
const { message } = require('./message.cjs')
const { split } = require('./options.cjs')
const { receipt } = require('./receipt.cjs')
const { TokenSource } = require('./tokens.cjs')

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
    this.#mailer = sync(() => native.NativeMailer.open(plain, load, ...environment(), host.token, host.store, listener(this, logger)))
  }

  static fromFile(file, options) {
    return new Mailer(...fromFile(file, options))
  }

  static fromEnv(options) {
    return new Mailer(...fromEnv(options))
  }

  get tokens() {
    this.#tokens ??= new TokenSource(undefined, sync(() => this.#mailer.tokens()))
    return this.#tokens
  }

  // What happens to tokens is told by the mailer's token source, too.
  emit(name, ...rest) {
    const own = super.emit(name, ...rest)
    if (this.#tokens && typeof name === 'string' && ABOUT_TOKENS.test(name)) this.#tokens.emit(name, ...rest)
    return own
  }

  async send(fields, options) {
    const { signal, call } = callOf(options)
    const sent = await under(signal, call, async () => {
      const { fields: plain, blobs, streams, spool } = await this.#message(fields, signal)
      try {
        return await this.#mailer.send(JSON.stringify(plain), blobs, streams.pulls, spool, call)
      } finally {
        streams.end()
      }
    })
    return receipt(JSON.parse(sent))
  }

  // A message that cannot be read counts as one that failed.
  async #message(fields, signal) {
    try {
      return await message(fields, signal)
    } catch (error) {
      if (error instanceof MailError) this.#mailer.refuse(error.toJSON())
      throw error
    }
  }

  sendMany(messages, options) {
    const { signal, call } = callOf(options)
    return new SendStream(sync(() => this.#mailer.bulk(call)), call, signal, messages)
  }

  async render(fields) {
    const { fields: plain, blobs, streams, spool } = await message(fields)
    return under(undefined, undefined, () => this.#mailer.render(JSON.stringify(plain), blobs, streams.pulls, spool))
  }

  async verify(options = {}) {
    const { sendTo, throwOnFailure = true } = options
    const { signal, call } = callOf(options, ['sendTo', 'throwOnFailure'])
    return report(await under(signal, call, () => this.#mailer.verify(text('sendTo', sendTo), !throwOnFailure, call)))
  }

  async warm(options) {
    const { signal, call } = callOf(options)
    await under(signal, call, () => this.#mailer.warm(call))
  }

  async exportMetrics(options = {}) {
    const { signal, call } = callOf(options, ['endpoint'])
    const endpoint = text('endpoint', options.endpoint?.href ?? options.endpoint)
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
    await under(undefined, undefined, () => this.#mailer.close(duration('timeout', timeout)))
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

const ABOUT_TOKENS = /^(token|login|credential)\./

module.exports = { Mailer }
