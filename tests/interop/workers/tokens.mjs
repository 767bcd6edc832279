// Renews a token again and again for so many seconds, and says how often and what went wrong.
import { createInterface } from 'node:readline'

const { TokenSource } = await import(process.env.MAILBEARER_NODE)
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const next = async () => JSON.parse((await lines.next()).value)

/** A store in the program's own code. */
function overHttp(url) {
  const ask = async (what, body) => (await fetch(`${url}/${what}`, { method: 'POST', body: JSON.stringify(body) })).json()
  return {
    async load(key) {
      const found = await ask('load', { key })
      return found && { entry: Buffer.from(found.entry, 'base64'), version: found.version }
    },
    save: (key, entry, version) =>
      ask('save', { key, entry: entry && Buffer.from(entry).toString('base64'), version: version ?? null })
  }
}

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())
const spelled = (value) =>
  value && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [camel(key), spelled(item)]))
    : value

const begin = await next()
const options = spelled(begin.options)
if (begin.host) options.store = overHttp(begin.host)
const tokens = new TokenSource(options)
console.log('ready')
const { force } = await next()
const end = performance.now() + 1000 * begin.seconds
const errors = []
let [count, last] = [0, null]
do {
  try {
    last = (await tokens.get({ force, timeout: '60s' })).secret
    count += 1
  } catch (error) {
    errors.push(String(error))
  }
} while (performance.now() < end)
console.log(JSON.stringify({ count, errors, last }))
process.exit(0)
