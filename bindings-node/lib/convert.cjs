'use strict'
// JavaScript's own types to what crosses the border, and back.

const { Readable, addAbortSignal } = require('node:stream')
const native = require('../native.cjs')
const { MailError, invalid } = require('./errors.cjs')

// Options without the functions among them, which cross beside them.
function split(options) {
  const { auth, store, logger, ...rest } = options ?? {}
  const isTable = auth !== null && typeof auth === 'object' && !Array.isArray(auth)
  const { callback, ...plain } = isTable ? auth : {}
  const host = {}
  if (typeof plain.clientAssertion === 'function') {
    if (callback !== undefined) throw invalid('config_invalid', 'auth.callback', '`auth.callback` and a function as `auth.clientAssertion` exclude each other')
    const prove = plain.clientAssertion
    plain.clientAssertion = { callback: true }
    host.token = asked(() => provide(() => prove(), {}))
  }
  if (auth !== undefined) rest.auth = isTable ? plain : auth
  if (callback !== undefined) host.token = asked((request) => provide(callback, request))
  if (store !== null && typeof store === 'object' && typeof store.load === 'function') {
    host.store = asked((request) => keep(store, request))
  } else if (store !== undefined) {
    rest.store = store
  }
  return { plain: data(rest, '', 'config_invalid'), host, logger }
}

// What can cross as JSON; `path` names what cannot.
function data(value, path, code, depth = 0) {
  const wrong = (what) => invalid(code, path || null, `${path ? `\`${path}\`` : 'this'} is ${what}`)
  if (depth > 64) throw wrong('nested too deeply, or within itself')
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value
    throw wrong('no finite number')
  }
  if (typeof value !== 'object') throw wrong(`a ${typeof value}, which is no value here`)
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw wrong('an invalid Date')
    return value.toISOString()
  }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) throw wrong('binary, which is no value here')
  if (Array.isArray(value)) return value.map((item, at) => data(item ?? null, `${path}[${at}]`, code, depth + 1))
  const out = {}
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) out[key] = data(item, path ? `${path}.${key}` : key, code, depth + 1)
  }
  return out
}

// One call's own limits: the native half of it, and the signal.
function callOf(options = {}, known = []) {
  const { signal, timeout, partial, ...rest } = options ?? {}
  const unknown = Object.keys(rest).find((key) => !known.includes(key))
  if (unknown !== undefined) throw invalid('config_invalid', unknown, `unknown option \`${unknown}\` of a call`)
  if (signal != null && typeof signal.addEventListener !== 'function') {
    throw invalid('config_invalid', 'signal', '`signal` is no AbortSignal')
  }
  for (const [name, value] of Object.entries({ timeout, partial })) {
    if (value === undefined || typeof value === 'string') continue
    const hint = name === 'timeout' ? 'Write a duration with its unit, such as "30s".' : undefined
    throw invalid('config_invalid', name, `\`${name}\` must be a string, not ${typeof value}`, hint)
  }
  return { signal: signal ?? undefined, call: new native.NativeCall(timeout, partial) }
}

// Never throws and never rejects: that would end the process.
function asked(f) {
  return async (request) => {
    try {
      return { ok: (await f(request)) ?? null }
    } catch (error) {
      return { error: error instanceof Error ? `${error.name}: ${error.message}` : 'it threw' }
    }
  }
}

async function provide(callback, request) {
  const answer = await callback({ ...request, signal: new AbortController().signal })
  if (typeof answer === 'string') return { secret: answer }
  return { secret: answer?.accessToken ?? answer?.secret, expiresAt: answer?.expiresAt?.getTime() }
}

async function keep(store, { op, key, entry, version }) {
  if (op === 'save') return store.save(key, entry === null ? null : Buffer.from(entry, 'base64'), version)
  const found = await store.load(key)
  return found && { entry: Buffer.from(found.entry).toString('base64'), version: found.version }
}

// A message's fields, its octets and streams apart: at once, or as a promise where finished MIME must be read first.
function message(given, signal) {
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw invalid('message_invalid', null, `a message is an object of fields, not ${given === null ? 'null' : typeof given}`)
  }
  const { raw, attachments, ...rest } = given
  if (raw !== undefined) delete rest.size
  const fields = data(rest, '', 'message_invalid')
  const streams = new Streams()
  if (raw !== undefined) {
    fields.raw = { blob: 0 }
    if (!(raw instanceof Readable)) return { fields, blobs: [octets(raw, 'raw')], streams }
    return whole(raw, signal).then((octets) => ({ fields, blobs: [octets], streams }))
  }
  const blobs = []
  if (attachments !== undefined) {
    const list = Array.isArray(attachments) ? attachments : [attachments]
    const streamed = []
    fields.attachments = list.map((item, at) => {
      const path = `attachments[${at}]`
      if (typeof item !== 'object' || item === null || item.content === undefined) {
        return data(item ?? null, path, 'message_invalid')
      }
      const { content, ...about } = item
      const plain = data(about, path, 'message_invalid')
      if (!(content instanceof Readable)) return { ...plain, blob: blobs.push(octets(content, `${path}.content`)) - 1 }
      streams.add(content)
      streamed.push(plain)
      return plain
    })
    streamed.forEach((plain, at) => (plain.blob = blobs.length + at))
  }
  return { fields, blobs, streams }
}

// Streams of one message, read when the server wants it.
class Streams {
  pulls = []
  #begun = []

  add(stream) {
    // Heard from the beginning: an error that nobody hears ends the process.
    let failed
    stream.on('error', (error) => (failed ??= error))
    let iterator
    // Octets, none at the end, or what went wrong; never throws and never rejects.
    this.pulls.push(async () => {
      try {
        if (failed) throw failed
        if (!iterator) {
          if (stream.readableDidRead || stream.readableEnded || stream.destroyed) throw new Error('it is a stream that was read before')
          if (stream.readableEncoding) throw new Error('it gives text, not octets: make it without an encoding')
          iterator = stream[Symbol.asyncIterator]()
          this.#begun.push(stream)
        }
        for (;;) {
          const { done, value } = await iterator.next()
          if (done) return Buffer.alloc(0)
          const piece = octets(value, 'content')
          if (piece.length > 0) return piece
        }
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    })
  }

  // The message is over: what was begun is given up. What was not read is still its owner's.
  end() {
    for (const stream of this.#begun) stream.destroy()
  }
}

function octets(content, path) {
  if (typeof content === 'string') return Buffer.from(content)
  if (ArrayBuffer.isView(content)) return Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  if (content instanceof ArrayBuffer) return Buffer.from(content)
  throw invalid('message_invalid', path, `\`${path}\` must be a string, octets or a stream`)
}

async function whole(stream, signal) {
  if (signal) addAbortSignal(signal, stream)
  const chunks = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

// Core's receipt with JavaScript's names.
function receipt(found) {
  const timings = {}
  for (const stage in found.timings) timings[`${stage}Ms`] = found.timings[stage] * 1000
  return {
    messageId: found.message_id,
    serverMessageId: found.server_message_id,
    tag: found.tag,
    accepted: found.accepted,
    rejected: found.rejected,
    reply: found.reply,
    envelope: { mailFrom: found.envelope.mail_from, rcptTo: found.envelope.rcpt_to },
    size: found.size,
    attempts: found.attempts,
    sentAt: new Date(found.sent_at),
    timings,
  }
}

function result(found) {
  return {
    index: found.index,
    tag: found.tag,
    messageId: found.message_id,
    outcome: found.outcome,
    receipt: found.receipt && receipt(found.receipt),
    error: found.error && new MailError(found.error),
  }
}

function account(found) {
  return found && { ...found, refreshExpiresAt: found.refreshExpiresAt && new Date(found.refreshExpiresAt) }
}

module.exports = { account, callOf, data, message, receipt, result, split }
