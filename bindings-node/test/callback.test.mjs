// The token callback: what it is asked, and that it hears when nobody wants its token any more.

import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'

import { Mailer, TokenSource } from '../index.mjs'
import { Emulator } from '../testing.mjs'

let emulator
// What the program's functions do keeps nothing alive.
const alive = setInterval(() => {}, 1000)
before(async () => { emulator = await Emulator.start() })
beforeEach(() => emulator.clear())
after(() => { clearInterval(alive); return emulator.close() })

const withCallback = (callback) => ({ ...emulator.settings({ grant: 'callback' }), auth: { grant: 'callback', callback } })

test('the signal is aborted with the last who waits, and the next one asks anew', async () => {
  const { accessToken } = emulator.settings({ grant: 'access_token' }).auth
  const signals = []
  let begun
  const waits = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  const callback = async ({ signal }) => {
    signals.push(signal)
    begun()
    if (signals.length === 3) return accessToken
    await waits(signal)
  }
  const source = new TokenSource(withCallback(callback))
  for (const round of [1, 2]) {
    const asked = new Promise((resolve) => (begun = resolve))
    const [one, other] = [new AbortController(), new AbortController()]
    const gets = [one, other].map(({ signal }) => source.get({ signal }))
    await asked
    assert.equal(signals.length, round)
    const aborted = waits(signals.at(-1)).catch(() => {})
    one.abort()
    await assert.rejects(gets[0], { name: 'AbortError' })
    assert.equal(signals.at(-1).aborted, false)
    other.abort()
    await assert.rejects(gets[1], { name: 'AbortError' })
    await aborted
    assert.equal(signals.at(-1).aborted, true)
  }
  begun = () => {}
  assert.equal((await source.get()).secret, accessToken)
  assert.equal(signals[2].aborted, false)
})

test('a send that is given up gives up its token, too', async () => {
  const aborted = new Promise((resolve, reject) => {
    const mailer = new Mailer(withCallback(({ signal }) => {
      signal.addEventListener('abort', resolve, { once: true })
      controller.abort()
      return new Promise(() => {})
    }))
    const controller = new AbortController()
    mailer.send({ to: 'ada@example.com', text: 'x' }, { signal: controller.signal }).then(reject, () => {})
  })
  await aborted
  assert.deepEqual(emulator.messages, [])
})

test('what is no function is refused at once', () => {
  for (const [options, field] of [
    [{ auth: { grant: 'callback', callback: 'token' } }, 'auth.callback'],
    [{ store: { load() {} } }, 'store.save'],
    [{ logger: { error() {} } }, 'logger'],
  ]) {
    assert.throws(() => new Mailer({ ...emulator.settings({ grant: 'callback' }), ...options }), { code: 'config_invalid', field })
  }
})

test('messages that cannot be read count as failed, and are told', async () => {
  const mailer = new Mailer({ provider: 'memory', username: 'me@example.org' })
  const told = []
  mailer.on('send.failed', ({ code, tag }) => told.push([code, tag]))
  const wrong = [null, { to: 'a@b, c@d' }, { to: 'ada@example.com', date: new Date('x') }, { raw: 3 }]
  for (const fields of wrong) await assert.rejects(mailer.send(fields), { code: 'message_invalid' })
  for await (const { error } of mailer.sendMany([{ to: 'a@b, c@d', tag: 't' }, null])) assert.equal(error.code, 'message_invalid')
  assert.deepEqual(mailer.metrics().failed, { message_invalid: wrong.length + 2 })
  await new Promise(setImmediate)
  assert.equal(told.length, wrong.length + 2)
  await assert.rejects(mailer.render(null), { code: 'message_invalid' })
  assert.deepEqual(mailer.metrics().failed, { message_invalid: wrong.length + 2 })
})

test('a sibling’s author is read as every mailbox', () => {
  const mailer = new Mailer({ provider: 'memory', username: 'me@example.org' })
  for (const from of [{ addres: 'x@example.org' }, { name: 'x' }, 3, ['x@example.org']]) {
    assert.throws(() => mailer.forMailbox('other@example.org', { from }), { code: 'config_invalid', field: 'from' }, JSON.stringify(from))
  }
  assert.ok(mailer.forMailbox('other@example.org', { from: { name: 'Ada', address: 'other@example.org' } }))
})
