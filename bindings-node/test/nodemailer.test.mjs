// nodemailer over a Mailer, as its users call it.

import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'

import { createTransport } from 'nodemailer'

import { MailError, Mailer } from '../index.mjs'
import { transport } from '../nodemailer.mjs'
import { Emulator } from '../testing.mjs'

async function begin(t, change = {}) {
  const emulator = await Emulator.start()
  const mailer = new Mailer({ ...emulator.settings(), ...change })
  t.after(async () => { await mailer.close(); await emulator.close() })
  return { emulator, mailer, mail: createTransport(transport(mailer)) }
}

const MESSAGE = { from: 'noreply@contoso.com', to: 'Ada <ada@example.com>', subject: 'Hi', text: 'Hello' }

test('a message that nodemailer built arrives as it was', async (t) => {
  const { emulator, mail } = await begin(t)
  const info = await mail.sendMail({ ...MESSAGE, cc: 'bob@example.com', bcc: 'eve@example.com', html: '<b>Hello</b>',
    attachments: [{ filename: 'a.txt', content: Readable.from(['one\n', 'two\n']) }] })
  assert.deepEqual(info.accepted, ['ada@example.com', 'bob@example.com', 'eve@example.com'])
  assert.deepEqual([info.rejected, info.envelope.from], [[], 'noreply@contoso.com'])
  assert.match(info.response, /^250 /)
  const [received] = emulator.messages
  const text = received.raw.toString()
  assert.ok(text.includes(info.messageId) && text.includes('a.txt') && !/^bcc/im.test(text), text)
  assert.deepEqual(received.rcptTo, info.accepted)
  assert.equal(await mail.verify(), true)
})

test('failures have the codes that nodemailer has, and ours behind them', async (t) => {
  const { emulator, mail } = await begin(t, { limits: { breaker: false, messagesPerMinute: null } })
  for (const [at, reply, code, own] of [
    ['auth', '535 5.7.139 SmtpClientAuthentication is disabled for the Tenant.', 'EAUTH', 'smtp_auth_disabled'],
    ['rcpt', '550 5.1.1 nobody', 'EENVELOPE', 'recipients_rejected'],
    ['end', '554 5.6.0 no', 'EMESSAGE', 'message_rejected'],
  ]) {
    emulator.fail(at, { reply })
    const error = await mail.sendMail(MESSAGE).then(() => null, (error) => error)
    assert.equal(error?.code, code, `${at}: ${error}`)
    assert.ok(error.cause instanceof MailError && error.cause.code === own, `${at}: ${error.cause}`)
    assert.equal(error.responseCode, Number(reply.slice(0, 3)))
    assert.ok(error.hint || at === 'end')
  }
  emulator.fail('rcpt', { reply: '550 5.1.1 nobody', match: 'eve@' })
  const info = await mail.sendMail({ ...MESSAGE, cc: 'eve@example.com' })
  assert.deepEqual([info.accepted, info.rejected], [['ada@example.com'], ['eve@example.com']])
})

test('a signal ends a send, and nothing else', async (t) => {
  const { emulator, mail } = await begin(t)
  emulator.fail('mail', { delay: '30s' })
  const controller = new AbortController()
  const sending = mail.sendMail({ ...MESSAGE, signal: controller.signal })
  setTimeout(() => controller.abort(new Error('enough')), 200)
  const error = await sending.then(() => null, (error) => error)
  assert.ok(error?.code === 'EABORT' && error.name === 'AbortError', String(error))
  assert.deepEqual(emulator.messages, [])
  await mail.sendMail(MESSAGE)
})

test('events and plugins of nodemailer go on as they do', async (t) => {
  const { emulator, mailer } = await begin(t)
  const mail = createTransport(transport(mailer), { from: 'Contoso <noreply@contoso.com>' })
  mail.use('compile', (mail, done) => { mail.data.subject += '!'; done() })
  await mail.sendMail({ to: 'ada@example.com', subject: 'Hi', text: 'x' })
  assert.match(emulator.messages[0].raw.toString(), /^Subject: Hi!\r$/m)
  assert.equal(mail.isIdle(), true)
})

test('reports and TLS on the whole way are asked for, or refused', async (t) => {
  const { emulator, mail } = await begin(t)
  emulator.configure({ extensions: ['DSN', 'REQUIRETLS'] })
  await mail.sendMail({ ...MESSAGE, requireTLSExtensionEnabled: true, dsn: { id: 'job 7', return: 'HEADERS', notify: ['FAILURE', 'DELAY'] } })
  await mail.sendMail({ ...MESSAGE, dsn: { ret: 'full', notify: 'never' } })
  const lines = (word) => emulator.seen.commands.flat().filter((line) => line.startsWith(word))
  const [first, second] = lines('MAIL')
  assert.match(first, / RET=HDRS ENVID=job\+207 REQUIRETLS/)
  assert.match(second, / RET=FULL/)
  assert.match(lines('RCPT')[0], / NOTIFY=FAILURE,DELAY ORCPT=rfc822;ada@example.com/)
  assert.match(lines('RCPT')[1], / NOTIFY=NEVER/)

  const { emulator: bare, mail: asking } = await begin(t)
  bare.configure({ without: ['DSN'] })
  for (const [fields, code, own] of [
    [{ requireTLSExtensionEnabled: true }, 'EREQUIRETLS', 'capability_missing'],
    [{ envelope: { from: 'noreply@contoso.com', to: 'ada@example.com', requireTLSExtensionEnabled: true } }, 'EREQUIRETLS', 'capability_missing'],
    [{ dsn: { notify: 'failure' } }, 'EPROTOCOL', 'capability_missing'],
    [{ dsn: { notify: 'always' } }, 'EMESSAGE', 'message_invalid'],
    [{ dsn: { ret: 'some' } }, 'EENVELOPE'],
    [{ dsn: { orcpt: 'rfc822;x@example.com' } }, 'EENVELOPE'],
    [{ dsn: { notfy: 'never' } }, 'EENVELOPE'],
  ]) {
    const error = await asking.sendMail({ ...MESSAGE, ...fields }).then(() => null, (error) => error)
    assert.deepEqual([error?.code, error?.cause?.code], [code, own], `${JSON.stringify(fields)}: ${error}`)
  }
  assert.deepEqual([emulator.messages.length, bare.messages.length], [2, 0])
})
