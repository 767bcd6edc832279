// Checked by `npm run types`: the public types as users meet them.
import { createReadStream } from 'node:fs'
import { createTransport } from 'nodemailer'
import { MailError, Mailer, TokenSource, type ErrorCode, type EventName, type Receipt } from 'mailbearer'
import { transport } from 'mailbearer/nodemailer'
import { Emulator } from 'mailbearer/testing'

const mailer = new Mailer({
  provider: 'microsoft365',
  username: 'noreply@contoso.com',
  auth: { grant: 'client_credentials', tenant: 'contoso.com', clientId: 'x', clientSecret: { env: 'SECRET' } },
})
const receipt: Receipt = await mailer.send({ to: 'ada@example.com', subject: 'Hello', text: 'Hi' })
const at: Date = receipt.sentAt
for await (const result of mailer.sendMany([{ to: 'ada@example.com', text: 'x' }])) {
  if (result.outcome === 'sent') console.log(result.receipt.accepted, at)
  else console.log(result.error.code)
}
const source = new TokenSource({ provider: 'gmail', auth: { grant: 'callback', callback: async () => 'token' } })
const token = await source.get({ force: true })
console.log(token.xoauth2(), token.expiresAt?.getTime())
try {
  await mailer.verify({ throwOnFailure: true })
} catch (error) {
  if (error instanceof MailError && error.code === 'auth_rejected') console.log(error.hint, error.retryAfterMs, error.report?.findings)
}
const emulator = await Emulator.start({ dialect: 'microsoft' })
new Mailer(emulator.settings({ grant: 'device_code' }))

// What may be undefined may be given as undefined (`exactOptionalPropertyTypes`).
new Mailer({ provider: 'memory', username: process.env['USERNAME'], from: undefined, smtp: { port: undefined }, logger: console })
// Streams of every kind.
await mailer.send({ to: 'ada@example.com', attachments: [
  { content: createReadStream('a') }, { content: new Blob(['a']) }, { content: new Blob(['a']).stream() }, { content: (async function* () { yield 'a' })() },
  { content: new ArrayBuffer(1) }] })
await mailer.send({ raw: createReadStream('a') })
// Events and codes are known words.
mailer.on('send.done', (fields) => console.log(fields['messageId']))
TokenSource.fromEnv({ logger: false }).once('token.refreshed', () => {})
const words: [EventName, ErrorCode] = ['limit.waiting', 'throttled']
// Express's `request.query`.
const query: { [key: string]: undefined | string | string[] } = {}
await (await mailer.login({ redirectUri: 'https://app.example.com', openBrowser: false })).finish(query)
await createTransport(transport(mailer)).sendMail({ to: words })

// @ts-expect-error no such event
mailer.on('send.doen', () => {})
// @ts-expect-error no such provider
new Mailer({ provider: 'microsoft' })
// @ts-expect-error an unknown grant
new Mailer({ provider: 'gmail', auth: { grant: 'password' } })
// @ts-expect-error a number is no duration
await mailer.send({ to: 'ada@example.com' }, { timeout: 5 })

// Options are known by name, kind and word: index.d.ts has them from core's schema.
new Mailer({
  provider: 'gmail', username: 'ada@example.com', auth: { grant: 'jwt_bearer', keyFile: 'key.json' },
  smtp: { port: 587, security: 'starttls', timeouts: { finalReply: '5s' } }, limits: { maxConnections: null, maxAge: '5m' },
  store: { kind: 'redis', url: 'redis://localhost', key: { file: 'key' } }, dkim: { domain: 'example.com', selector: 's', privateKey: { file: 'dkim.pem' } },
})
// @ts-expect-error no such option
new Mailer({ provider: 'memory', smtp: { hots: 'x' } })
// @ts-expect-error core's own name, not JavaScript's
new Mailer({ provider: 'memory', smtp: { hello_name: 'x' } })
// @ts-expect-error another kind
new Mailer({ provider: 'memory', smtp: { port: '587' } })
// @ts-expect-error no such word
new Mailer({ provider: 'memory', smtp: { security: 'starttl' } })
// @ts-expect-error no such stage
new Mailer({ provider: 'memory', smtp: { timeouts: { conect: '1s' } } })
// @ts-expect-error what another grant takes
new Mailer({ provider: 'gmail', auth: { grant: 'jwt_bearer', redirectUri: 'http://localhost' } })
// @ts-expect-error a key is needed
new Mailer({ provider: 'memory', dkim: { domain: 'example.com', selector: 's' } })
