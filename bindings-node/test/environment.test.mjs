// `{env}` and `fromEnv` read `process.env` of the program's own thread, at every token request anew.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { Worker } from 'node:worker_threads'

import { Mailer, TokenSource } from '../index.mjs'
import { Emulator } from '../testing.mjs'

const index = new URL('../index.mjs', import.meta.url).href
let emulator
before(async () => { emulator = await Emulator.start() })
beforeEach(() => emulator.clear())
after(() => emulator.close())

// What `code` posts, from a worker with an environment of its own.
const worker = (code, env) => new Promise((resolve, reject) => {
  const text = `import { parentPort } from 'node:worker_threads'\nimport { Mailer, TokenSource } from ${JSON.stringify(index)}\n${code}`
  new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`), { env }).once('message', resolve).once('error', reject)
})

test('a worker thread has its own environment, and changes it', async () => {
  const environ = emulator.environ()
  const secret = environ.MAILBEARER_AUTH__CLIENT_SECRET
  assert.ok(secret)
  const options = emulator.settings()
  options.auth.clientSecret = { env: 'WORKER_SECRET' }
  const codes = await worker(`
    const codes = []
    const mailer = Mailer.fromEnv()
    codes.push(mailer.metrics().sent)
    await mailer.send({ to: 'ada@example.com', text: 'x' })
    const source = new TokenSource(${JSON.stringify(options)})
    codes.push(await source.get().then(() => 'wrong', (error) => error.code))
    process.env.WORKER_SECRET = ${JSON.stringify(secret)}
    codes.push(await new TokenSource(${JSON.stringify(options)}).get().then(() => 'good', (error) => error.code))
    parentPort.postMessage(codes)`, { ...environ, WORKER_SECRET: 'wrong' })
  assert.deepEqual(codes, [0, 'client_rejected', 'good'])
  assert.equal(emulator.messages.length, 1)
  assert.equal(process.env.WORKER_SECRET, undefined)
  assert.throws(() => new Mailer(options), { code: 'config_invalid', message: /WORKER_SECRET is not set/ })
})

test('a secret is read again at each request', async () => {
  const options = emulator.settings()
  const { clientSecret } = options.auth
  options.auth.clientSecret = { env: 'ROTATED_SECRET' }
  process.env.ROTATED_SECRET = 'old'
  const source = new TokenSource(options)
  const before = process.env
  try {
    // Jest's users put another object in its place.
    process.env = { ...before, ROTATED_SECRET: clientSecret }
    assert.ok((await source.get()).secret)
  } finally {
    process.env = before
    delete process.env.ROTATED_SECRET
  }
})

test('the file and its profile are named by this environment', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailbearer-'))
  try {
    const file = join(folder, 'config.toml')
    const text = 'provider = "memory"\nusername = "me@example.org"\n[auth]\ngrant = "access_token"\naccess_token = { env = "THE_TOKEN" }\n[profiles.work.auth]\naccess_token = "work"\n'
    writeFileSync(file, text, { mode: 0o600 })
    const get = "TokenSource.fromEnv().get().then(({ secret }) => parentPort.postMessage(secret), (error) => parentPort.postMessage(error.message))"
    assert.equal(await worker(get, { MAILBEARER_CONFIG: file, THE_TOKEN: 'mine' }), 'mine')
    assert.equal(await worker(get, { MAILBEARER_CONFIG: file, MAILBEARER_PROFILE: 'work' }), 'work')
    assert.equal(await worker(get.replace('fromEnv()', "fromEnv({ prefix: 'OTHER_' })"), { OTHER_PROVIDER: 'memory', OTHER_AUTH__GRANT: 'access_token', OTHER_AUTH__ACCESS_TOKEN: 'other' }), 'other')
    assert.equal(await worker(get.replace('fromEnv', 'fromFile'), { MAILBEARER_CONFIG: file, MAILBEARER_AUTH__ACCESS_TOKEN: 'over' }), 'over')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
