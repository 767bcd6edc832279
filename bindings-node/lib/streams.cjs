'use strict'
// What gives its octets piece by piece: Node's streams, web streams, blobs, async iterables.

const { Readable, isDisturbed } = require('node:stream')
const { bound } = require('./context.cjs')
const { buffer, isBlob, isError } = require('./values.cjs')

// A source of octets, or undefined where the value is none.
function source(value) {
  if (value === null || typeof value !== 'object') return undefined
  if (value instanceof Readable) return new NodeStream(value)
  if (isBlob(value)) return new Pieces(value, () => value.stream()[Symbol.asyncIterator]())
  if (typeof value.getReader === 'function') return new Pieces(value, () => webReader(value))
  if (typeof value[Symbol.asyncIterator] === 'function') return new Pieces(value, () => value[Symbol.asyncIterator]())
  // A stream of before Node 10's, or of another library.
  if (typeof value.pipe === 'function' && typeof value.on === 'function') return new NodeStream(new Readable().wrap(value))
  return undefined
}

// Iterators that were begun: what gives itself as its iterator can be read once only.
const begun = new WeakSet()

class Pieces {
  #given
  #open
  #iterator

  constructor(given, open) {
    this.#given = given
    this.#open = open
  }

  // The next octets; none at the end.
  async next() {
    if (!this.#iterator) {
      const iterator = this.#open()
      if (begun.has(iterator)) throw new Error(READ_BEFORE)
      if (iterator === this.#given) begun.add(iterator)
      this.#iterator = iterator
    }
    return piece(this.#iterator)
  }

  // What was begun is given up. What was not read is still its owner's.
  end() {
    this.#iterator?.return?.()?.then?.(undefined, () => {})
  }
}

class NodeStream {
  #stream
  #iterator
  #failed

  constructor(stream) {
    this.#stream = stream
    // Heard from the beginning: an error that nobody hears ends the process.
    stream.on('error', (error) => (this.#failed ??= error))
  }

  async next() {
    if (this.#failed) throw this.#failed
    if (!this.#iterator) {
      const stream = this.#stream
      if (stream.readableDidRead || stream.readableEnded || stream.destroyed) throw new Error(READ_BEFORE)
      if (stream.readableEncoding) throw new Error('it gives text, not octets: make it without an encoding')
      this.#iterator = stream[Symbol.asyncIterator]()
    }
    return piece(this.#iterator)
  }

  end() {
    if (this.#iterator) this.#stream.destroy()
  }
}

// A web stream's reader as an iterator: not every web stream is async iterable.
function webReader(stream) {
  if (stream.locked || isDisturbed(stream)) throw new Error(READ_BEFORE)
  const reader = stream.getReader()
  return { next: () => reader.read(), return: () => reader.cancel() }
}

// The next octets of an iterator that are not empty; none at its end.
async function piece(iterator) {
  for (;;) {
    const { done, value } = await iterator.next()
    if (done) return Buffer.alloc(0)
    const octets = typeof value === 'string' ? Buffer.from(value) : buffer(value)
    if (octets === undefined) throw new Error('a piece of it must be a string, octets or a stream')
    if (octets.length > 0) return octets
  }
}

// Streams of one message, read when the server wants it.
class Streams {
  pulls = []
  #sources = []

  add(source) {
    this.#sources.push(source)
    // Octets, none at the end, or what went wrong; never throws and never rejects.
    this.pulls.push(bound(() => source.next().catch((error) => (isError(error) ? error.message : String(error)))))
  }

  // The message is over.
  end() {
    for (const source of this.#sources) source.end()
  }
}

const READ_BEFORE = 'it is a stream that was read before'

module.exports = { Streams, source }
