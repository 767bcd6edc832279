// The program's functions are called in the async context in which the mailer was made.

import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { after, before, test } from 'node:test'

import { Mailer, TokenSource } from '../index.mjs'
import { Emulator } from '../testing.mjs'

const storage = new AsyncLocalStorage()
let emulator
before(async () => { emulator = await Emulator.start() })
after(() => emulator.close())

test('token callback, store and events keep AsyncLocalStorage', async () => {
  const seen = {}
  const note = (what) => { seen[what] = storage.getStore() }
  const { accessToken } = emulator.settings({ grant: 'access_token' }).auth
  const entries = new Map()
  const store = {
    async load(key) {
      note('load')
      return entries.get(key) ?? null
    },
    async save(key, entry, version) {
      note('save')
      entries.set(key, { entry, version: (version ?? 0) + 1 })
      return true
    },
  }
  const [given, kept] = storage.run('made here', () => [
    new Mailer({ ...emulator.settings({ grant: 'callback' }), auth: { grant: 'callback', callback: () => { note('callback'); return accessToken } } }),
    new Mailer({ ...emulator.settings({ grant: 'refresh_token' }), store }),
  ])
  const done = new Promise((resolve) => given.on('send.done', () => { note('event'); resolve() }))
  await storage.run('sent there', () => given.send({ to: 'ada@example.com', text: 'x' }))
  await done
  await storage.run('sent there', () => kept.send({ to: 'ada@example.com', text: 'x' }))
  assert.deepEqual(seen, { callback: 'made here', event: 'made here', load: 'made here', save: 'made here' })
  await given.close()
  await kept.close()
})

test('a stream is read in the context of its send', async () => {
  const mailer = new Mailer(emulator.settings())
  let seen
  async function* content() {
    seen = storage.getStore()
    yield 'octets'
  }
  await storage.run('sent here', () => mailer.send({ to: 'ada@example.com', attachments: [{ content: content() }] }))
  assert.equal(seen, 'sent here')
  await mailer.close()
})

test('a source alone keeps it, too', async () => {
  const { accessToken } = emulator.settings({ grant: 'access_token' }).auth
  const options = { ...emulator.settings({ grant: 'callback' }), auth: { grant: 'callback', callback: () => { seen.push(storage.getStore()); return accessToken } } }
  const seen = []
  const source = storage.run('made here', () => new TokenSource(options))
  await source.get()
  assert.deepEqual(seen, ['made here'])
})
