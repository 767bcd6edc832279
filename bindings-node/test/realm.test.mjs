// In another realm, as Jest and Vitest run tests: every module is evaluated with that realm's own `Error`, `Date`, `Map`.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname } from 'node:path'
import { after, before, test } from 'node:test'
import { types } from 'node:util'
import vm from 'node:vm'

import { MailError } from '../index.mjs'
import { Emulator } from '../testing.mjs'

// A realm with what Jest gives it, its own copy of the environment among it.
function realm(env) {
  const fake = Object.create(process, { env: { value: env } })
  const context = vm.createContext({ process: fake, Buffer, URL, URLSearchParams, AbortController, AbortSignal, setTimeout, setImmediate, console })
  const loaded = new Map()
  const load = (file) => {
    if (!loaded.has(file)) {
      const module = { exports: {} }
      loaded.set(file, module)
      const real = createRequire(file)
      const require = (name) => {
        const found = name.startsWith('.') ? real.resolve(name) : name
        return extname(found) === '.cjs' && !found.endsWith('native.cjs') ? load(found) : real(found)
      }
      const wrap = vm.compileFunction(readFileSync(file, 'utf8'), ['module', 'exports', 'require', '__filename', '__dirname'],
        { filename: file, parsingContext: context })
      wrap(module, module.exports, require, file, dirname(file))
    }
    return loaded.get(file).exports
  }
  context.mailbearer = load(createRequire(import.meta.url).resolve('../index.cjs'))
  return (code, values = {}) => vm.runInContext(`(async () => {${code}})()`, Object.assign(context, values))
}

let emulator
before(async () => { emulator = await Emulator.start() })
after(() => emulator.close())

test('errors are MailErrors, and Errors of that realm', async () => {
  const run = realm({})
  const error = await run(`
    const { MailError, Mailer } = mailbearer
    try { new Mailer({ provider: 'memory', tiemout: '5s' }) } catch (error) {
      if (!(error instanceof Error) || !(error instanceof MailError)) throw new Error('not ours: ' + error)
      const rejected = await new Mailer({ provider: 'memory' }).send({ text: 'x' }).catch((e) => e)
      if (!(rejected instanceof MailError) || rejected.code !== 'message_invalid') throw new Error('not ours: ' + rejected)
      return error
    }`)
  assert.ok(error instanceof MailError && types.isNativeError(error), 'another copy of the module knows it')
  assert.ok(!(error instanceof Error), 'the realm is another one')
  assert.equal(error.field, 'tiemout')
  class Own extends MailError {}
  assert.ok(!(error instanceof Own) && !({ code: 'closed' } instanceof MailError))
})

test('values of that realm are taken', async () => {
  const run = realm({})
  const text = await run(`
    const mailer = new mailbearer.Mailer({ provider: 'memory', username: 'me@example.org' })
    const octets = new TextEncoder().encode('octets')
    await mailer.send({ to: new Set(['ada@example.com']), date: new Date('2026-01-02T03:04:05Z'), text: 'x',
      headers: new Map([['X-My-Thing', 'aB']]),
      listUnsubscribe: new URL('https://example.com/u'),
      attachments: [
        { filename: 'a.bin', content: octets.buffer.slice(0, 6) }, { filename: 'b.bin', content: octets },
        { filename: 'c.bin', content: (async function* () { yield octets })() }] }).catch((e) => { throw new Error(e.message) })
    return mailer.outbox.map(({ raw }) => raw.toString()).join()`, { TextEncoder })
    .catch((error) => { throw new Error(error.message) })
  for (const line of ['Date: Fri, 02 Jan 2026 03:04:05 +0000', 'X-My-Thing: aB', '<https://example.com/u>']) assert.ok(text.includes(line), `${line}: ${text}`)
  assert.equal(text.match(/b2N0ZXRz/g).length, 3)
})

test('what the program throws is told by its own words', async () => {
  const run = realm({})
  const options = emulator.settings({ grant: 'callback' })
  const error = await run(`
    const callback = () => { throw new RangeError('none today') }
    return new mailbearer.Mailer({ ...options, auth: { grant: 'callback', callback } }).send({ to: 'ada@example.com', text: 'x' }).catch((e) => e)`,
  { options })
  assert.match(error.message, /RangeError: none today/)
})

test('the environment is that realm’s', async () => {
  const { clientSecret, ...auth } = emulator.settings().auth
  const options = { ...emulator.settings(), auth: { ...auth, clientSecret: { env: 'REALM_SECRET' } } }
  const run = realm({ REALM_SECRET: clientSecret, MAILBEARER_PROVIDER: 'memory' })
  const token = await run(`
    if (mailbearer.Mailer.fromEnv().outbox.length !== 0) throw new Error('not empty')
    return (await new mailbearer.TokenSource(options).get()).secret`, { options })
  assert.ok(token.length > 20)
  assert.equal(process.env.REALM_SECRET, undefined)
})
