'use strict'
// The token half alone.

const { EventEmitter } = require('node:events')
const { inspect } = require('node:util')
const native = require('../native.cjs')
const { callOf, duration } = require('./call.cjs')
const { environment } = require('./environment.cjs')
const { invalid, sync, under } = require('./errors.cjs')
const { listener } = require('./events.cjs')
const { fromEnv, fromFile } = require('./load.cjs')
const { Login, begin } = require('./login.cjs')
const { split } = require('./options.cjs')
const { account } = require('./receipt.cjs')
const { AccessToken } = require('./token.cjs')

class TokenSource extends EventEmitter {
  #source
  // The token given last, and its native half.
  #given
  #native

  constructor(options, load) {
    super()
    if (load instanceof native.NativeTokens) {
      this.#source = load
      return
    }
    const { plain, host, logger } = split(options)
    this.#source = sync(() => native.NativeTokens.open(plain, load, ...environment(), host.token, host.store, listener(this, logger)))
  }

  static fromFile(file, options) {
    return new TokenSource(...fromFile(file, options))
  }

  static fromEnv(options) {
    return new TokenSource(...fromEnv(options))
  }

  get account() {
    return account(this.#source.account() ?? null)
  }

  async get(options = {}) {
    const { force = false } = options
    const minRemaining = duration('minRemaining', options.minRemaining)
    if (!force) {
      if (this.#native && minRemaining === undefined && this.#source.holds(this.#native)) return this.#given
      const token = sync(() => this.#source.cached(minRemaining))
      if (token) return this.#give(token)
    }
    const { signal, call } = callOf(options, ['force', 'minRemaining'])
    return this.#give(await under(signal, call, () => this.#source.get(force, minRemaining, call)))
  }

  #give(token) {
    this.#native = token
    return (this.#given = new AccessToken(token))
  }

  invalidate(token) {
    this.#source.invalidate(typeof token === 'string' ? token : token.secret)
  }

  login(options) {
    return begin(this.#source, options)
  }

  resumeLogin(saved) {
    return new Login(sync(() => this.#source.resumeLogin(saved)))
  }

  async importLogin(text, options) {
    if (typeof text !== 'string') throw invalid('config_invalid', 'text', '`text` must be a string', 'Read the file first.')
    const { signal, call } = callOf(options)
    return account(await under(signal, call, () => this.#source.importLogin(text, call)))
  }

  async logout() {
    await under(undefined, undefined, () => this.#source.logout())
  }

  async close() {
    this.#source.close()
  }

  // nodemailer's hook: transporter.set('oauth2_provision_cb', source.provisionCallback)
  get provisionCallback() {
    return (_user, renew, callback) => {
      this.get({ force: renew }).then(
        (token) => callback(null, token.secret, token.expiresAt?.getTime()),
        (error) => callback(error),
      )
    }
  }

  [inspect.custom]() {
    return 'TokenSource {}'
  }
}
if (Symbol.asyncDispose) {
  TokenSource.prototype[Symbol.asyncDispose] = function dispose() {
    return this.close()
  }
}

module.exports = { TokenSource }
