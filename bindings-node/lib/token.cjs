'use strict'
// An access token.

const { sync } = require('./errors.cjs')

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

module.exports = { AccessToken }
