'use strict'
// Many messages: pulled from the caller's source while there is room, one result each.

const { message, result } = require('./convert.cjs')
const { under } = require('./errors.cjs')

class SendStream {
  #bulk
  #call
  #signal
  #source
  #pulling = true
  #broken
  #waiting = Promise.resolve()
  counts

  constructor(bulk, call, signal, messages) {
    this.#bulk = bulk
    this.#call = call
    this.#signal = signal
    this.#source = (messages[Symbol.asyncIterator] ?? messages[Symbol.iterator]).call(messages)
    this.counts = bulk.counts()
  }

  // Stops the pulling; what was started goes on to its end and is reported.
  cancel() {
    this.#pulling = false
  }

  // One after the other, however often it is called.
  next() {
    const next = this.#waiting.then(() => this.#next())
    this.#waiting = next.catch(() => {})
    return next
  }

  async #next() {
    while (this.#bulk.hasRoom()) await this.#pull()
    const found = await under(this.#signal, this.#call, () => this.#bulk.next())
    if (found) {
      this.counts = found.counts
      return { done: false, value: result(found.result) }
    }
    if (this.#broken) {
      const { error } = this.#broken
      this.#broken = undefined
      throw error
    }
    return { done: true, value: undefined }
  }

  async #pull() {
    let pulled = { done: true }
    if (this.#pulling && !this.#signal?.aborted) {
      try {
        pulled = await this.#source.next()
        if (!pulled.done) {
          const { fields, blobs } = await message(pulled.value)
          return this.#bulk.push(fields, blobs)
        }
      } catch (error) {
        // What was pulled is reported first, then the source's own error passes.
        this.#broken = { error }
      }
    }
    this.#bulk.finish()
  }

  async return() {
    this.cancel()
    await this.#source.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator]() {
    return this
  }
}
if (Symbol.asyncDispose) {
  SendStream.prototype[Symbol.asyncDispose] = async function dispose() {
    await this.return()
  }
}

module.exports = { SendStream }
