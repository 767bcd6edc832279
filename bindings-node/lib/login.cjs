'use strict'
// A sign-in under way.

const { inspect } = require('node:util')
const { callOf, text } = require('./call.cjs')
const { data } = require('./data.cjs')
const { invalid, sync, under } = require('./errors.cjs')
const { account } = require('./receipt.cjs')

class Login {
  #login

  constructor(login) {
    this.#login = login
    const { method, expiresAt, ...about } = login.about()
    this.method = method
    this.expiresAt = new Date(expiresAt)
    // Readable, but never printed by accident: the URL holds the state, and a code lets somebody else go on.
    for (const [name, value] of Object.entries(about)) Object.defineProperty(this, name, { value, enumerable: false })
  }

  async wait(options) {
    const { signal, call } = callOf(options)
    return account(await under(signal, call, () => this.#login.wait(call)))
  }

  async finish(callback, options) {
    const { signal, call } = callOf(options)
    const answer = data(callback ?? null, 'callback', 'config_invalid')
    return account(await under(signal, call, () => this.#login.finish(answer, call)))
  }

  save() {
    return sync(() => this.#login.save())
  }

  cancel() {
    this.#login.cancel()
  }

  [inspect.custom]() {
    return `Login { method: '${this.method}', expiresAt: ${this.expiresAt.toISOString()} }`
  }
}

// Begins a sign-in at a mailer's or a source's native half.
async function begin(source, options = {}) {
  const { signal, call } = callOf(options, ['method', 'redirectUri', 'loginHint', 'openBrowser'])
  const { method, redirectUri, loginHint, openBrowser = false } = options
  if (typeof openBrowser !== 'boolean') throw invalid('config_invalid', 'openBrowser', '`openBrowser` must be true or false')
  const request = { method: text('method', method), redirectUri: text('redirectUri', redirectUri?.href ?? redirectUri),
    loginHint: text('loginHint', loginHint), openBrowser }
  return new Login(await under(signal, call, () => source.login(data(request, '', 'config_invalid'), call)))
}

module.exports = { Login, begin }
