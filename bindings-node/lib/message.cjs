'use strict'
// A message as it crosses the border: fields as JSON, octets and streams beside them.

const native = require('../native.cjs')
const { data } = require('./data.cjs')
const { invalid } = require('./errors.cjs')
const { Streams, source } = require('./streams.cjs')
const { buffer, isBlob } = require('./values.cjs')

// The fields, octets and streams: at once, or as a promise where finished MIME must be read first.
function message(given, signal) {
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw invalid('message_invalid', null, `a message is an object of fields, not ${given === null ? 'null' : typeof given}`)
  }
  const { raw, attachments, ...rest } = given
  if (raw !== undefined) delete rest.size
  const fields = data(rest, '', 'message_invalid')
  const streams = new Streams()
  if (raw !== undefined) {
    const streamed = source(raw)
    if (!streamed) return { fields: { ...fields, raw: { blob: 0 } }, blobs: [octets(raw, 'raw')], streams }
    return spooled(streamed, signal).then((spool) => ({ fields, blobs: [], streams, spool }))
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
      const plain = data({ ...described(content), ...about }, path, 'message_invalid')
      const found = source(content)
      if (!found) return { ...plain, blob: blobs.push(octets(content, `${path}.content`)) - 1 }
      streams.add(found)
      streamed.push(plain)
      return plain
    })
    streamed.forEach((plain, at) => (plain.blob = blobs.length + at))
  }
  return { fields, blobs, streams }
}

// What a Blob or a File says of itself.
function described(content) {
  if (!isBlob(content)) return {}
  return { size: content.size, filename: content.name || undefined, contentType: content.type || undefined }
}

function octets(content, path) {
  const found = typeof content === 'string' ? Buffer.from(content) : buffer(content)
  if (found === undefined) throw invalid('message_invalid', path, `\`${path}\` must be a string, octets or a stream`)
  return found
}

// Reads a stream to its end into a spool: what is large does not stay in memory.
async function spooled(streamed, signal) {
  const spool = new native.NativeSpool()
  const stop = () => streamed.end()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    for (;;) {
      const octets = await streamed.next()
      await spool.write(octets)
      if (octets.length === 0) return spool
    }
  } finally {
    signal?.removeEventListener('abort', stop)
    streamed.end()
  }
}

module.exports = { message }
