'use strict'
// JavaScript's own types to what crosses the border, and back.

const { Readable } = require('node:stream')
const { MailError } = require('./errors.cjs')

// Options without the functions among them, which cross beside them.
function split(options) {
  const { auth, store, logger, ...rest } = options ?? {}
  const { callback, ...plain } = auth ?? {}
  const host = {}
  if (auth !== undefined) rest.auth = plain
  if (callback !== undefined) host.token = asked((request) => provide(callback, request))
  if (store !== null && typeof store === 'object' && typeof store.load === 'function') {
    host.store = asked((request) => keep(store, request))
  } else if (store !== undefined) {
    rest.store = store
  }
  return { plain: rest, host, logger }
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

// A message's fields, its octets apart.
async function message(fields) {
  const blobs = []
  const blob = async (content) => blobs.push(await octets(content)) - 1
  const { size, ...out } = fields
  if (fields.raw !== undefined) out.raw = { blob: await blob(fields.raw) }
  if (fields.date instanceof Date) out.date = fields.date.toISOString()
  if (fields.attachments !== undefined) {
    out.attachments = []
    for (const item of fields.attachments) {
      if (typeof item === 'string' || item?.content === undefined) {
        out.attachments.push(item)
      } else {
        const { content, size: _, ...rest } = item
        out.attachments.push({ ...rest, blob: await blob(content) })
      }
    }
  }
  return { fields: JSON.parse(JSON.stringify(out)), blobs }
}

async function octets(content) {
  if (typeof content === 'string') return Buffer.from(content)
  if (content instanceof Readable) {
    const chunks = []
    for await (const chunk of content) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks)
  }
  return Buffer.from(content.buffer ?? content, content.byteOffset, content.byteLength)
}

function receipt(found) {
  const timings = Object.fromEntries(
    Object.entries(found.timings).map(([stage, seconds]) => [`${stage}Ms`, seconds * 1000]),
  )
  return { ...found, sentAt: new Date(found.sentAt), timings }
}

function result(found) {
  return {
    ...found,
    receipt: found.receipt && receipt(found.receipt),
    error: found.error && new MailError(found.error),
  }
}

function account(found) {
  return found && { ...found, refreshExpiresAt: found.refreshExpiresAt && new Date(found.refreshExpiresAt) }
}

module.exports = { account, message, receipt, result, split }
