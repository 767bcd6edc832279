import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, beforeEach, test } from 'node:test'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import nodemailer from 'nodemailer'
import { MailError, Mailer, TokenSource } from '../index.mjs'
import { Emulator } from '../testing.mjs'

let emulator
let mailer
const hello = { to: 'ada@example.com', subject: 'Hello', text: 'Hi' }
const index = new URL('../index.mjs', import.meta.url).href

before(async () => {
  emulator = await Emulator.start()
})
beforeEach(() => {
  emulator.clear()
  mailer = new Mailer(emulator.settings())
})
after(() => emulator.close())

test('a message goes out and the receipt says so', async () => {
  const receipt = await mailer.send({ ...hello, attachments: [{ filename: 'a.bin', content: Buffer.from([0, 1, 255]) }] })
  assert.deepEqual(receipt.accepted, ['ada@example.com'])
  assert.ok(receipt.sentAt instanceof Date && receipt.timings.totalMs > 0)
  const [message] = emulator.messages
  assert.equal(message.username, 'noreply@contoso.com')
  assert.match(message.raw.toString(), /AAH\//)
  await mailer.close()
  await assert.rejects(mailer.send(hello), { code: 'closed', number: 801 })
})

test('a stream is read when the server wants it, and destroyed with the send', async () => {
  const octets = Buffer.alloc(1_000_000, 'octets ')
  const pieces = () => [octets.subarray(0, 7), Buffer.alloc(0), octets.subarray(7)]
  const receipt = await mailer.send({ ...hello, attachments: [{ filename: 'a.bin', content: Readable.from(pieces()) }] })
  const results = []
  const batch = [1, 2, 3].map(() => ({ ...hello, attachments: [{ content: Readable.from(pieces()), size: octets.length }] }))
  for await (const { outcome } of mailer.sendMany(batch)) results.push(outcome)
  assert.deepEqual(results, ['sent', 'sent', 'sent'])
  assert.equal(receipt.size, emulator.messages[0].raw.length)
  for (const { raw } of emulator.messages) {
    const text = raw.toString().split('base64\r\n\r\n')[1].split('\r\n\r\n--')[0]
    assert.ok(Buffer.from(text, 'base64').equals(octets))
  }
  assert.ok(batch.every(({ attachments: [{ content }] }) => content.destroyed))

  emulator.clear()
  emulator.fail('mail', { reply: '550 5.1.0 no', times: 1 })
  let reads = 0
  const unread = new Readable({ read() { reads += 1; this.push(null) } })
  await assert.rejects(mailer.send({ ...hello, attachments: [{ content: unread }] }), { responseCode: 550 })
  assert.deepEqual([reads, unread.destroyed], [0, false])
  emulator.clear()
  emulator.fail('end', { reply: '451 4.3.0 later', times: 1 })
  const once = { ...hello, attachments: [{ content: Readable.from([Buffer.from('abc')]) }] }
  await assert.rejects(mailer.send(once), { responseCode: 451, retryable: false })
  for (const again of [once, { ...hello, attachments: [{ content: unread }, { content: unread }] }]) {
    await assert.rejects(mailer.send(again), { code: 'attachment_unreadable', message: /read before/ })
  }
  assert.deepEqual(emulator.messages, [])
})

test('a stream that fails delivers nothing', async () => {
  const torn = async function* () {
    yield Buffer.from('abc')
    throw new Error('the tape tore')
  }
  for (const [content, size, message] of [
    [() => Readable.from(torn()), undefined, /the tape tore/],
    [() => createReadStream('/no/such/file'), undefined, /no such file/],
    [() => Readable.from([new Uint16Array([0x4142])]).setEncoding('utf8'), undefined, /text, not octets/],
    [() => Readable.from([{ length: 3 }]), undefined, /must be a string, octets/],
    [() => Readable.from([Buffer.from('abc')]), 2, /more octets than the 2/],
  ]) {
    const sent = mailer.send({ ...hello, attachments: [{ content: content(), size }] })
    await assert.rejects(sent, { code: 'attachment_unreadable', field: 'attachments[0]', retryable: false, message })
  }
  assert.deepEqual(emulator.messages, [])
  const rendered = mailer.render({ ...hello, attachments: [{ content: Readable.from([Buffer.from('abc')]) }] })
  await assert.rejects(rendered, { code: 'message_invalid', field: 'attachments[0]' })
})

test('require gives the same classes', () => {
  const required = createRequire(import.meta.url)('../index.cjs')
  assert.equal(required.Mailer, Mailer)
  assert.equal(required.MailError, MailError)
})

test('errors have a code, a hint, and the names that nodemailer uses', async () => {
  emulator.fail('end', { reply: '554 5.2.252 SendAsDenied' })
  const error = await mailer.send(hello).catch((e) => e)
  assert.ok(error instanceof MailError && error instanceof Error)
  assert.equal(error.code, 'send_as_denied')
  assert.equal(error.responseCode, 554)
  assert.match(error.response, /SendAsDenied/)
  assert.match(error.hint, /SendAs/)
  assert.match(error.stack, /mailer\.test\.mjs/)
  assert.equal(JSON.parse(JSON.stringify(error)).message, error.message)
  assert.throws(() => new Mailer({ provider: 'microsoft365', auth: { grant: 'client_credentials', cliantId: 'x' } }), {
    code: 'config_invalid',
    message: 'unknown option `auth.cliantId`; did you mean `auth.clientId`?',
  })
})

test('an abort before and during a send rejects with its reason and the verdict', async () => {
  await assert.rejects(mailer.send(hello, { signal: AbortSignal.abort() }), { name: 'AbortError' })
  emulator.fail('mail', { delay: '30s' })
  const controller = new AbortController()
  const reason = new Error('enough')
  const sending = mailer.send(hello, { signal: controller.signal })
  while (emulator.seen.auth.length === 0) await new Promise((r) => setTimeout(r, 5))
  controller.abort(reason)
  const error = await sending.catch((e) => e)
  assert.deepEqual([error.code, error.name, error.delivery], ['cancelled', 'AbortError', 'none'])
  assert.equal(error.cause, reason)
  assert.equal(emulator.messages.length, 0)
})

test('a callback may throw, reject, or bring a token', async () => {
  const { accessToken } = emulator.settings({ grant: 'access_token' }).auth
  const options = emulator.settings({ grant: 'callback' })
  const asked = []
  const from = (callback) => new Mailer({ ...options, auth: { grant: 'callback', callback } })
  await from((request) => (asked.push(request), accessToken)).send(hello)
  assert.deepEqual([asked.length, asked[0].force, asked[0].username], [1, false, 'noreply@contoso.com'])
  await from(async () => ({ accessToken, expiresAt: new Date(Date.now() + 3.6e6) })).send(hello)
  const failing = [() => { throw new TypeError('no') }, async () => { throw new TypeError('no') }, () => undefined]
  for (const callback of failing) {
    await assert.rejects(from(callback).send(hello), { code: 'token_provider_failed' })
  }
})

test('a function proves who the application is', async () => {
  const options = emulator.settings()
  const { clientSecret, ...auth } = options.auth
  let calls = 0
  const clientAssertion = async () => {
    const claims = { iss: auth.clientId, sub: auth.clientId, jti: String(++calls), aud: 'api://x/token', exp: 4e9 }
    return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`
  }
  await new Mailer({ ...options, auth: { ...auth, clientAssertion } }).send(hello)
  assert.deepEqual([calls, typeof clientSecret], [1, 'string'])
  const fails = { ...auth, clientAssertion: () => { throw new RangeError('none today') } }
  await assert.rejects(new Mailer({ ...options, auth: fails }).send(hello), { code: 'token_provider_failed', message: /none today/ })
})

test('a store of the program keeps rotated tokens', async () => {
  const kept = new Map()
  const store = {
    async load(key) {
      return kept.get(key) ?? null
    },
    async save(key, entry, version) {
      if ((kept.get(key)?.version ?? null) !== version) return false
      if (entry === null) kept.delete(key)
      else kept.set(key, { entry, version: (version ?? 0) + 1 })
      return true
    },
  }
  const options = { ...emulator.settings({ grant: 'refresh_token' }), store }
  await new Mailer(options).send(hello)
  assert.ok(kept.size > 0)
  await new Mailer(options).send(hello)
  assert.equal(emulator.messages.length, 2)
})

test('many messages: pulled as there is room, one result each, counts', async () => {
  const memory = new Mailer({ provider: 'memory', username: 'me@example.org' })
  let pulled = 0
  let ahead = 0
  let seen = 0
  function* source() {
    for (; pulled < 10_000; pulled++) {
      ahead = Math.max(ahead, pulled - seen)
      yield pulled === 7 ? { to: 'a@b, c@d', text: '' } : { ...hello, tag: String(pulled) }
    }
  }
  const stream = memory.sendMany(source())
  const indexes = new Set()
  for await (const result of stream) {
    seen++
    indexes.add(result.index)
    if (result.index === 7) assert.equal(result.error.code, 'message_invalid')
    else assert.equal(result.receipt.tag, String(result.index))
  }
  assert.equal(indexes.size, 10_000)
  assert.deepEqual({ ...stream.counts }, { sent: 9999, failed: 1, uncertain: 0, notSent: 0, inFlight: 0 })
  assert.ok(ahead <= 16, `${ahead} messages were pulled ahead`)
  assert.equal(memory.outbox.length, 1000)
})

test('leaving the loop stops the pulling; what would fail every message is thrown once', async () => {
  let pulled = 0
  const endless = (function* () {
    for (;;) {
      pulled++
      yield hello
    }
  })()
  for await (const result of mailer.sendMany(endless)) {
    assert.equal(result.outcome, 'sent')
    break
  }
  assert.ok(pulled < 10)
  const wrong = emulator.settings()
  wrong.auth.clientSecret = 'wrong'
  const outcomes = []
  await assert.rejects(
    async () => {
      for await (const result of new Mailer(wrong).sendMany([hello, hello])) outcomes.push(result.outcome)
    },
    { code: 'client_rejected' },
  )
  assert.deepEqual(outcomes, ['not_sent', 'not_sent'])
})

test('events come, and hold no secret', async () => {
  const events = []
  const logger = { info: (fields, name) => events.push([name, fields]), warn: (fields, name) => events.push([name, fields]) }
  const logged = new Mailer({ ...emulator.settings(), logger })
  const done = new Promise((resolve) => logged.once('send.done', resolve))
  await logged.send(hello)
  assert.equal((await done).accepted, 1)
  const { secret } = await logged.tokens.get()
  const text = JSON.stringify(events)
  assert.match(text, /token\.refreshed/)
  assert.ok(!text.includes(secret))
  assert.ok(!inspect([logged, logged.tokens, await logged.tokens.get()]).includes(secret))
})

test('signing in by redirect, in two steps and across processes', async () => {
  const options = emulator.settings({ grant: 'authorization_code' })
  const first = new Mailer(options)
  const redirectUri = 'https://app.contoso.com/callback'
  const login = await first.login({ redirectUri })
  const saved = login.save()
  const callback = await emulator.signIn(login.url, { username: options.username })
  const second = new Mailer(options)
  const account = await second.resumeLogin(saved).finish(new URL(callback))
  assert.equal(account.username, options.username)
  await second.send(hello)
  const declined = await first.login({ redirectUri })
  const refused = await emulator.signIn(declined.url, { username: options.username, decision: 'deny' })
  await assert.rejects(declined.finish(refused), { code: 'login_declined' })
})

test('signing in at another device', async () => {
  emulator.configure({ deviceInterval: 1 })
  const device = new Mailer(emulator.settings({ grant: 'device_code' }))
  const login = await device.login()
  await emulator.approve(login.userCode, { username: 'noreply@contoso.com' })
  assert.equal((await login.wait()).username, 'noreply@contoso.com')
  await device.send(hello)
})

test('nodemailer takes its tokens from a source', async () => {
  const source = new TokenSource(emulator.settings())
  const transport = nodemailer.createTransport({
    host: 'localhost',
    port: emulator.smtpPort,
    requireTLS: true,
    tls: { ca: readFileSync(emulator.caFile) },
    auth: { type: 'OAuth2', user: 'noreply@contoso.com' },
  })
  transport.set('oauth2_provision_cb', source.provisionCallback)
  await transport.sendMail({ from: 'noreply@contoso.com', ...hello })
  transport.close()
  assert.equal(emulator.messages.length, 1)
})

test('an idle mailer lets the process end', () => {
  const code = `
    import { Mailer } from ${JSON.stringify(index)}
    const mailer = new Mailer(${JSON.stringify(emulator.settings())})
    const receipt = await mailer.send({ to: 'ada@example.com', text: 'x' })
    console.log(receipt.accepted.length)`
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', code], { timeout: 30_000, encoding: 'utf8' })
  assert.deepEqual([done.status, done.stdout.trim(), done.signal], [0, '1', null])
})

test('a program that ends early keeps what its refresh token was exchanged for', async () => {
  const own = await Emulator.start()
  const folder = mkdtempSync(join(tmpdir(), 'mailbearer-'))
  try {
    own.configure({ refreshRotation: 'reuse_detection' })
    const settings = { ...own.settings({ grant: 'refresh_token' }), store: { kind: 'file', path: join(folder, 'tokens.json') } }
    // The mail server is not there, which is known long before the new token comes.
    own.fail('token', { after: true, delay: '2s' })
    const nowhere = { ...settings, smtp: { ...settings.smtp, port: 1 }, retry: { attempts: 1 } }
    const code = `
      import { Mailer } from ${JSON.stringify(index)}
      const mailer = new Mailer(${JSON.stringify(nowhere)})
      await mailer.send({ to: 'ada@example.com', text: 'x' }).catch((error) => console.log(error.code))`
    const done = spawnSync(process.execPath, ['--input-type=module', '-e', code], { timeout: 60_000, encoding: 'utf8' })
    assert.deepEqual([done.status, done.stdout.trim(), done.stderr], [0, 'connect_failed', ''])
    const next = new Mailer(settings)
    await next.tokens.get({ force: true })
    await next.send(hello)
    await next.close()
  } finally {
    await own.close()
    rmSync(folder, { recursive: true })
  }
})

test('worker threads end cleanly with sends in flight', async () => {
  emulator.fail('mail', { delay: '5s', times: 0 })
  const code = `
    import { parentPort } from 'node:worker_threads'
    import { Mailer } from ${JSON.stringify(index)}
    const mailer = new Mailer(${JSON.stringify(emulator.settings())})
    mailer.send({ to: 'ada@example.com', text: 'x' }).catch(() => {})
    parentPort.postMessage('sending')`
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`)
  const ends = Array.from({ length: 6 }, async () => {
    const worker = new Worker(url)
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    return worker.terminate()
  })
  assert.equal((await Promise.all(ends)).length, 6)
})

test('every item that was pulled has its result, however bad it is', async () => {
  const memory = new Mailer({ provider: 'memory', username: 'me@example.org' })
  const odd = [null, 'text', 3, { ...hello, date: new Date('x') }, { ...hello, subject: () => 1, tag: 'f' }, { get to() { throw new Error('no') } }]
  const results = []
  for await (const result of memory.sendMany([hello, ...odd, hello])) results.push(result)
  assert.deepEqual(results.map((r) => r.outcome).sort(), [...odd.map(() => 'failed'), 'sent', 'sent'])
  assert.ok(results.filter((r) => r.error).every((r) => r.error instanceof MailError && r.error.code === 'message_invalid'))
  assert.equal(results.find((r) => r.tag === 'f').error.field, 'subject')
  assert.throws(() => memory.sendMany('text'), { code: 'config_invalid' })
})

test('an abort in the middle of many still tells what became of each', async () => {
  emulator.fail('end', { delay: '300ms', skip: 4, times: 0 })
  const controller = new AbortController()
  let pulled = 0
  function* source() {
    for (;;) {
      pulled += 1
      yield { ...hello, tag: String(pulled) }
    }
  }
  const results = []
  const run = async () => {
    for await (const result of mailer.sendMany(source(), { signal: controller.signal })) {
      results.push(result)
      if (results.length === 4) controller.abort(new Error('enough'))
    }
  }
  await assert.rejects(run(), { name: 'AbortError', code: 'cancelled' })
  assert.equal(results.length, pulled)
  assert.equal(new Set(results.map((r) => r.index)).size, pulled)
})

test('a slow source does not hold up results', async () => {
  const memory = new Mailer({ provider: 'memory', username: 'me@example.org' })
  let release
  const gate = new Promise((resolve) => (release = resolve))
  async function* source() {
    yield hello
    await gate
    yield hello
  }
  const stream = memory.sendMany(source())
  assert.equal((await stream.next()).value.outcome, 'sent')
  release()
  assert.equal((await stream.next()).value.outcome, 'sent')
  assert.deepEqual(await stream.next(), { done: true, value: undefined })
})

test('wrong values are errors of this library, with the field', async () => {
  const memory = { provider: 'memory' }
  const table = [
    [() => new Mailer({ ...memory, timeout: () => 1 }), 'timeout'],
    [() => new Mailer({ ...memory, smtp: { port: NaN } }), 'smtp.port'],
    [() => new Mailer({ ...memory, from: Symbol('x') }), 'from'],
    [() => new Mailer(memory).sendMany([], { timeout: 5 }), 'timeout'],
    [() => new Mailer(memory).sendMany([], { timeuot: '5s' }), 'timeuot'],
  ]
  for (const [wrong, field] of table) assert.throws(wrong, (e) => e instanceof MailError && e.field === field, field)
  const circle = {}
  circle.smtp = circle
  assert.throws(() => new Mailer({ ...memory, ...circle }), { code: 'config_invalid' })
  await assert.rejects(new Mailer(memory).send(null), { code: 'message_invalid' })
  await assert.rejects(new Mailer(memory).send({ raw: 3 }), { code: 'message_invalid', field: 'raw' })
  await assert.rejects(mailer.send(hello, { signal: AbortSignal.abort('why') }), { code: 'cancelled', cause: 'why', delivery: 'none' })
})

test('events and numbers have the names of this language, and values keep theirs', async () => {
  const done = new Promise((resolve) => mailer.on('send.done', resolve))
  const receipt = await mailer.send(hello)
  assert.equal((await done).messageId, receipt.messageId)
  emulator.fail('rcpt', { reply: '550 5.1.1 no', times: 0 })
  await assert.rejects(mailer.send(hello), { code: 'recipients_rejected' })
  assert.deepEqual(mailer.metrics().failed, { recipients_rejected: 1 })
  assert.equal(mailer.metrics().recipientsAccepted, 1)
  assert.ok(mailer.metrics().recipientsOfADay >= 1)
  assert.equal(mailer.metrics().recipientsOfADayLimit, 10_000)
  await mailer.close()
})
