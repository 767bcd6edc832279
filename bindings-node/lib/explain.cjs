'use strict'
// What a server's words mean, offline.

const native = require('../native.cjs')

class Explanation {
  #text
  constructor(data, text) {
    Object.assign(this, data)
    this.#text = text
  }

  toString() {
    return this.#text
  }
}

function explain(text) {
  return native.explain(String(text)).map(([data, shown]) => Object.freeze(new Explanation(data, shown)))
}

module.exports = { explain }
