'use strict'
// Many messages: pulled from the caller's source while there is room, one result each.

const { cancelled, invalid, MailError, understood } = require('./errors.cjs')
const { message } = require('./message.cjs')
const { result } = require('./receipt.cjs')

class SendStream {
  #bulk
  #call
  #signal
  #source
  #pulling = true
  #pulled
  #result
  // Results that are here and were not asked for yet.
  #here = []
  // Nothing is under way, so there is no result to wait for.
  #dry = true
  #failures = []
  #waiting = Promise.resolve()
  #pushed = 0
  // Streams of messages without a result, by their index.
  #streams = new Map()
  counts

  constructor(bulk, call, signal, messages) {
    this.#bulk = bulk
    this.#call = call
    this.#signal = signal
    const iterator = messages?.[Symbol.asyncIterator] ?? messages?.[Symbol.iterator]
    if (typeof messages === 'string' || iterator === undefined) {
      throw invalid('config_invalid', 'messages', 'messages are given by an iterable, such as a list')
    }
    this.#source = iterator.call(messages)
    this.counts = bulk.counts()
    if (signal?.aborted) this.#abort()
    else signal?.addEventListener('abort', this.#abort, { once: true })
  }

  // Stops the pulling; what was started goes on to its end and is reported.
  cancel() {
    this.#end()
  }

  // One after the other, however often it is called.
  next() {
    const next = this.#waiting.then(() => this.#next())
    this.#waiting = next.catch(() => {})
    return next
  }

  async return() {
    this.cancel()
    this.#signal?.removeEventListener('abort', this.#abort)
    await this.#source.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator]() {
    return this
  }

  // What was started is cancelled and reported, then the abort itself passes.
  #abort = () => {
    this.#call.cancel()
    this.#end({ error: cancelled(this.#signal) })
  }

  #end(failure) {
    if (failure) this.#failures.push(failure)
    this.#pulling = false
    this.#pulled = undefined
    this.#bulk.finish()
  }

  async #next() {
    if (this.#here.length > 0) return { done: false, value: this.#here.shift() }
    for (;;) {
      while (this.#pulling && !this.#pulled && this.#bulk.hasRoom()) this.#pull()
      if (!this.#result && !this.#dry) {
        // What is pushed from here on is not meant by an answer that there is nothing.
        this.#dry = true
        this.#result = this.#bulk.next().then((found) => ({ found }), (error) => ({ error }))
      }
      if (!this.#result && !this.#pulled) return this.#over()
      const done = await Promise.race([this.#pulled, this.#result].filter(Boolean))
      if (done === PULLED) continue
      this.#result = undefined
      if (done.error) {
        this.#dry = false
        this.#end({ error: understood(done.error) })
      } else if (done.found) {
        this.#dry = false
        const { results, counts } = JSON.parse(done.found)
        this.counts = counts
        this.#here = results.map(result)
        for (const { index } of this.#here) this.#release(index)
        return { done: false, value: this.#here.shift() }
      }
    }
  }

  // What ended it early is told once, after all results.
  #over() {
    this.#signal?.removeEventListener('abort', this.#abort)
    const [failure] = this.#failures.splice(0)
    if (failure) throw failure.error
    return { done: true, value: undefined }
  }

  // Takes one message from the source. What the source throws waits until all are reported.
  #pull() {
    let pulled
    try {
      pulled = this.#source.next()
    } catch (error) {
      return this.#end({ error })
    }
    if (typeof pulled?.then !== 'function') return this.#take(pulled)
    const waiting = pulled.then(
      (item) => this.#pulling && this.#take(item),
      (error) => this.#pulling && this.#end({ error }),
    )
    this.#wait(waiting)
  }

  #take(pulled) {
    if (pulled.done) return this.#end()
    let read
    try {
      read = message(pulled.value)
    } catch (error) {
      return this.#refuse(pulled.value, error)
    }
    if (typeof read.then !== 'function') return this.#push(read)
    this.#wait(read.then((found) => this.#push(found), (error) => this.#refuse(pulled.value, error)))
  }

  #push({ fields, blobs, streams, spool }) {
    if (streams.pulls.length > 0) this.#streams.set(this.#pushed, streams)
    this.#pushed += 1
    this.#bulk.push(JSON.stringify(fields), blobs, streams.pulls, spool)
    this.#dry = false
  }

  #release(index) {
    this.#streams.get(index)?.end()
    this.#streams.delete(index)
  }

  // A message that cannot be read gives its error as its result.
  #refuse(value, error) {
    const known = error instanceof MailError ? error : invalid('message_invalid', null, `it cannot be read: ${error?.message ?? error}`)
    const tag = typeof value?.tag === 'string' ? value.tag : undefined
    this.#pushed += 1
    this.#bulk.pushInvalid({ code: known.code, message: known.message, hint: known.hint, field: known.field }, tag)
    this.#dry = false
  }

  #wait(promise) {
    const waiting = promise.then(() => {
      if (this.#pulled === waiting) this.#pulled = undefined
      return PULLED
    })
    this.#pulled = waiting
  }
}
if (Symbol.asyncDispose) {
  SendStream.prototype[Symbol.asyncDispose] = async function dispose() {
    await this.return()
  }
}

const PULLED = Symbol('pulled')

module.exports = { SendStream }
