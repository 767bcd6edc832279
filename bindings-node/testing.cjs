'use strict'
// The emulator, in this process, for tests.

const native = require('./native.cjs')

class Emulator {
  #emulator
  constructor(emulator) {
    this.#emulator = emulator
    Object.assign(this, emulator.about())
  }
  static async start(options = {}) {
    return new Emulator(native.NativeEmulator.start(options))
  }
  get messages() {
    return this.#emulator.messages().map(([about, raw]) => ({ ...about, raw }))
  }
  get seen() {
    return this.#emulator.seen()
  }
  settings({ grant = 'client_credentials', username = 'noreply@contoso.com' } = {}) {
    return this.#emulator.settings(grant, username)
  }
  environ({ grant = 'client_credentials', username = 'noreply@contoso.com' } = {}) {
    return this.#emulator.environ(grant, username)
  }
  async waitFor(count = 1, { timeout = '5s' } = {}) {
    await this.#emulator.waitFor(count, String(timeout))
    return this.messages
  }
  clear() {
    this.#emulator.clear()
  }
  fail(at, fault) {
    this.#emulator.fail({ at, ...fault })
  }
  configure(changes) {
    this.#emulator.configure(changes)
  }
  async signIn(url, { username, decision }) {
    return this.#emulator.signIn(url, username, decision)
  }
  async approve(code, { username, decision }) {
    this.#emulator.approve(code, username, decision)
  }
  revoke(username) {
    this.#emulator.revoke(username)
  }
  expireTokens() {
    this.#emulator.expireTokens()
  }
  async close() {
    this.#emulator.close()
  }
}
if (Symbol.asyncDispose) {
  Emulator.prototype[Symbol.asyncDispose] = function dispose() {
    return this.close()
  }
}

module.exports = { Emulator }
