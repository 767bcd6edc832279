'use strict'
// The program's functions as the native half calls them: the token callback and the token store.

const { bound } = require('./context.cjs')
const { isError } = require('./values.cjs')

// Never throws and never rejects: that would end the process.
function asked(f) {
  return bound(async (request) => {
    try {
      return { ok: (await f(request)) ?? null }
    } catch (error) {
      return { error: isError(error) ? `${error.name}: ${error.message}` : 'it threw' }
    }
  })
}

// A function that brings tokens. The signal of a request is aborted when nobody waits for its token any more.
function tokenFunction(callback) {
  const underWay = new Map()
  return asked(async ({ id, abandoned, ...request }) => {
    if (abandoned !== undefined) return underWay.get(abandoned)?.abort()
    const controller = new AbortController()
    underWay.set(id, controller)
    try {
      return await provide(callback, { ...request, signal: controller.signal })
    } finally {
      underWay.delete(id)
    }
  })
}

// A function that brings the application's assertion.
function assertionFunction(prove) {
  return asked(({ abandoned }) => (abandoned === undefined ? provide(() => prove(), {}) : undefined))
}

function storeFunction(store) {
  return asked((request) => keep(store, request))
}

async function provide(callback, request) {
  const answer = await callback(request)
  if (typeof answer === 'string') return { secret: answer }
  return { secret: answer?.accessToken ?? answer?.secret, expiresAt: answer?.expiresAt?.getTime() }
}

async function keep(store, { op, key, entry, version }) {
  if (op === 'save') return store.save(key, entry === null ? null : Buffer.from(entry, 'base64'), version)
  const found = await store.load(key)
  return found && { entry: Buffer.from(found.entry).toString('base64'), version: found.version }
}

module.exports = { assertionFunction, storeFunction, tokenFunction }
