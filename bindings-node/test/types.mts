// Checked by `npm run types`: the public types as users meet them.
import { MailError, Mailer, TokenSource, type Receipt } from '../index.js'
import { Emulator } from '../testing.js'

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
  if (error instanceof MailError) console.log(error.hint, error.retryAfterMs, error.report?.findings)
}
const emulator = await Emulator.start({ dialect: 'microsoft' })
new Mailer(emulator.settings({ grant: 'device_code' }))

// @ts-expect-error an unknown grant
new Mailer({ provider: 'gmail', auth: { grant: 'password' } })
// @ts-expect-error a number is no duration
await mailer.send({ to: 'ada@example.com' }, { timeout: 5 })
