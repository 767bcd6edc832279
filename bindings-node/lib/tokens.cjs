'use strict'
// The token half: sources, tokens and sign-ins.

const { inspect } = require('node:util')
const native = require('../native.cjs')
const { account, callOf, data, split } = require('./convert.cjs')
const { invalid, sync, under } = require('./errors.cjs')

class AccessToken {
  #token
  constructor(token) {
    this.#token = token
    const { expiresAt, ...about } = token.about()
    Object.assign(this, about, { expiresAt: expiresAt && new Date(expiresAt) })
    // Readable, but never printed by accident.
    Object.defineProperty(this, 'secret', { get: () => token.secret(), enumerable: false })
    // Many callers get the same one.
    for (const part of [this.scopes, this.claims]) if (part) Object.freeze(part)
    Object.freeze(this)
  }
  xoauth2(username) {
    return sync(() => this.#token.xoauth2(username))
  }
  xoauth2Base64(username) {
    return sync(() => this.#token.xoauth2Base64(username))
  }
  oauthbearer(host, port, username) {
    return sync(() => this.#token.oauthbearer(host, port, username))
  }
}

class Login {
  #login
  constructor(login) {
    this.#login = login
    const { expiresAt, ...about } = login.about()
    Object.assign(this, about, { expiresAt: new Date(expiresAt) })
  }
  async wait(options) {
    const { signal, call } = callOf(options)
    return account(await under(signal, call, () => this.#login.wait(call)))
  }
  async finish(callback, options) {
    const { signal, call } = callOf(options)
    let plain = callback
    if (callback instanceof URL) plain = callback.href
    else if (callback instanceof URLSearchParams) plain = callback.toString()
    else plain = data(callback ?? null, 'callback', 'config_invalid')
    return account(await under(signal, call, () => this.#login.finish(plain, call)))
  }
  save() {
    return sync(() => this.#login.save())
  }
  cancel() {
    this.#login.cancel()
  }
}

async function begin(source, options = {}) {
  const { signal: _, ...request } = options
  const { signal, call } = callOf({ signal: options.signal })
  return new Login(await under(signal, call, () => source.login(request, call)))
}

class TokenSource {
  #source
  // The token given last, and its native half.
  #given
  #native
  constructor(options, from) {
    if (from) {
      this.#source = from
    } else {
      const { plain, host } = split(options)
      this.#source = sync(() => native.NativeTokens.open(plain, host.token, host.store, undefined))
    }
  }
  get account() {
    return account(this.#source.account() ?? null)
  }
  async get(options = {}) {
    const { force = false, minRemaining } = options
    if (minRemaining !== undefined && typeof minRemaining !== 'string') {
      throw invalid('config_invalid', 'minRemaining', '`minRemaining` must be a string with a unit', 'Write it like "10m".')
    }
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

module.exports = { AccessToken, Login, TokenSource, begin }
