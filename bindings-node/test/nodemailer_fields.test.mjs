// Every field that nodemailer's own types list is used by the transport, or refused by name.

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'

import { createTransport } from 'nodemailer'

import { Mailer } from '../index.mjs'
import { transport } from '../nodemailer.mjs'
import { Emulator } from '../testing.mjs'

const TYPES = dirname(createRequire(import.meta.url).resolve('nodemailer'))
const fieldsOf = (file, name) => {
  const text = readFileSync(join(TYPES, file), 'utf8')
  const [, body] = new RegExp(`interface ${name}\\b[^{]*{([\\s\\S]*?)\n}`).exec(text)
  return [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, field]) => field)
}
const attached = (item) => ({ attachments: [{ filename: 'a.txt', content: 'octets', ...item }] })
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } })
const PIXEL = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='
const EVENT = 'BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n'

// A sample of each, and what must stand in the octets, or what is said of it; a function looks at both.
const MESSAGE_FIELDS = {
  from: [{ from: 'Contoso <noreply@contoso.com>' }, /^From: Contoso <noreply@contoso.com>/m],
  sender: [{ sender: 'noreply@contoso.com' }, /^Sender: noreply@contoso.com/m],
  to: [{ to: 'Bob <bob@example.com>' }, /^To: Bob/m],
  cc: [{ cc: 'bob@example.com' }, /^Cc: bob@/m],
  bcc: [{ bcc: 'bob@example.com' }, (raw, { rcptTo }) => rcptTo.includes('bob@example.com') && !/^bcc/im.test(raw)],
  replyTo: [{ replyTo: 'bob@example.com' }, /^Reply-To: bob@/m],
  inReplyTo: [{ inReplyTo: '<a@example.com>' }, /^In-Reply-To: <a@example.com>/m],
  references: [{ references: ['<a@example.com>', '<b@example.com>'] }, /^References: <a@example.com> <b@/m],
  subject: [{ subject: 'Other' }, /^Subject: Other/m],
  messageId: [{ messageId: '<c@example.com>' }, /^Message-ID: <c@example.com>/m],
  date: [{ date: new Date('2026-01-02T03:04:05Z') }, /^Date: Fri, 02 Jan 2026 03:04:05/m],
  text: [{ text: 'Other' }, /^Other/m],
  html: [{ html: '<b>x</b>' }, /text\/html[\s\S]*<b>x<\/b>/],
  watchHtml: [{ watchHtml: '<b>x</b>' }, /text\/watch-html/],
  amp: [{ amp: '<!doctype html><html amp4email></html>' }, /text\/x-amp-html/],
  icalEvent: [{ icalEvent: { method: 'REQUEST', content: EVENT } }, /text\/calendar; charset=utf-8;\s+method=REQUEST/],
  attachments: [attached({}), /name=a.txt/],
  alternatives: [{ alternatives: [{ contentType: 'text/x-other', content: 'x' }] }, /text\/x-other/],
  headers: [{ headers: { 'X-My-Thing': 'aB' } }, /^X-My-Thing: aB/m],
  list: [{ list: { unsubscribe: 'https://example.com/u' } }, /^List-Unsubscribe: <https:\/\/example.com\/u>/m],
  otp: [{ otp: { code: '123', origin: 'https://example.com' } }, /^OTP-Token: "123"/m],
  envelope: [{ envelope: { from: 'noreply@contoso.com', to: 'eve@example.com' } }, (_, { rcptTo }) => rcptTo.join() === 'eve@example.com'],
  encoding: [{ text: 'Grüße', encoding: 'base64' }, /^Content-Transfer-Encoding: base64/m],
  textEncoding: [{ subject: 'Grüße', textEncoding: 'base64' }, /^Subject: =\?UTF-8\?B\?/m],
  raw: [{ raw: 'From: noreply@contoso.com\nTo: ada@example.com\n\nmine' }, /\r\n\r\nmine\r\n$/],
  disableUrlAccess: [{ ...attached({ content: undefined, href: 'http://127.0.0.1:1/' }), disableUrlAccess: true }, { code: 'EURLACCESS' }],
  disableFileAccess: [{ ...attached({ content: undefined, path: '/etc/hostname' }), disableFileAccess: true }, { code: 'EFILEACCESS' }],
  attachDataUrls: [{ html: `<img src="${PIXEL}">`, attachDataUrls: true }, /src="cid:[\s\S]*Content-Id: /i],
  boundaryPrefix: [{ html: 'x', boundaryPrefix: 'mine' }, /boundary="?mine-/],
  baseBoundary: [{ html: 'x', baseBoundary: 'mine' }, /boundary="?[^"\n]*mine/],
  newline: [{ newline: 'linux' }, (raw) => !/[^\r]\n/.test(raw)],
  normalizeHeaderKey: [{ normalizeHeaderKey: (key) => key.toUpperCase() }, /^SUBJECT: Hi/m],
  priority: [{ priority: 'high' }, /^X-Priority: 1/m],
  xMailer: [{ xMailer: 'mine' }, /^X-Mailer: mine/m],
  signal: [{ signal: AbortSignal.abort() }, { name: 'AbortError', code: 'EABORT' }],
  dkim: [{ dkim: { domainName: 'contoso.com', keySelector: 's', privateKey } }, /^DKIM-Signature: v=1/m],
  _dkim: [{ dkim: { domainName: 'contoso.com', keySelector: 's', privateKey }, _dkim: { skipFields: 'subject' } }, (raw) => !/h=[^;]*subject/.test(raw)],
  maxRecipients: [{ cc: 'bob@example.com', maxRecipients: 1 }, { code: 'EMAXRECIPIENTS' }],
  dsn: [{ dsn: { notify: 'failure' } }, (_, { at }) => emulator.seen.messages[at].rcpt_params[0].some((p) => p === 'NOTIFY=FAILURE')],
  requireTLSExtensionEnabled: [{ requireTLSExtensionEnabled: true }, (_, { at }) => emulator.seen.messages[at].mail_params.includes('REQUIRETLS')],
  auth: [{ auth: { user: 'other@contoso.com' } }, { code: 'ECONFIG', message: /^`auth` of a message/ }],
  ses: [{ ses: {} }, { code: 'ECONFIG', message: /^`ses` is for/ }],
}
const ATTACHMENT_FIELDS = {
  content: [attached({}), /b2N0ZXRz/],
  path: [attached({ content: undefined, path: PIXEL }), /R0lGODlhAQ/],
  href: [attached({ content: undefined, href: PIXEL }), /R0lGODlhAQ/],
  httpHeaders: [attached({ httpHeaders: { 'X-A': 'b' } }), /b2N0ZXRz/],
  tls: [attached({ tls: {} }), /b2N0ZXRz/],
  encoding: [attached({ content: 'b3RoZXI=', encoding: 'base64' }), /b3RoZXI=/],
  raw: [attached({ raw: 'Content-Type: text/x-raw\r\n\r\nmine' }), /text\/x-raw\r\n\r\nmine/],
  contentType: [attached({ contentType: 'text/x-mine' }), /text\/x-mine/],
  contentTransferEncoding: [attached({ contentTransferEncoding: '7bit' }), /\r\n\r\noctets/],
  filename: [attached({ filename: 'b.txt' }), /name=b.txt/],
  headers: [attached({ headers: { 'X-Part': 'p' } }), /^X-Part: p/m],
  contentDisposition: [attached({ contentDisposition: 'inline' }), /^Content-Disposition: inline/m],
  cid: [{ html: '<img src="cid:one">', ...attached({ filename: 'a.gif', cid: 'one' }) }, /multipart\/related[\s\S]*^Content-Id: <one>/im],
}
const LISTS = [
  ['a message', [...fieldsOf('mailer/mail-message.d.ts', 'SendMailOptions'), ...fieldsOf('mail-composer/index.d.ts', 'MailComposerOptions')], MESSAGE_FIELDS],
  ['an attachment', [...fieldsOf('mail-composer/index.d.ts', 'MailComposerAlternative'), ...fieldsOf('mail-composer/index.d.ts', 'MailComposerAttachment')], ATTACHMENT_FIELDS],
]

let emulator
let mailer
let mail
before(async () => {
  emulator = await Emulator.start()
  emulator.configure({ extensions: ['DSN', 'REQUIRETLS'] })
  mailer = new Mailer({ ...emulator.settings(), limits: { messagesPerMinute: null } })
  mail = createTransport(transport(mailer))
})
beforeEach(() => emulator.clear())
after(async () => {
  await mailer.close()
  await emulator.close()
})

for (const [what, names, table] of LISTS) {
  test(`every field of ${what} that nodemailer knows is used, or refused by name`, async () => {
    assert.deepEqual(names.toSorted(), Object.keys(table).sort(), 'nodemailer has other fields than this table')
    for (const [field, [fields, expected]] of Object.entries(table)) {
      const sent = mail.sendMail({ from: 'noreply@contoso.com', to: 'ada@example.com', subject: 'Hi', text: 'Hello', ...fields })
      if (!(expected instanceof RegExp) && typeof expected !== 'function') {
        await assert.rejects(sent, expected, field)
        continue
      }
      await sent
      const at = emulator.messages.length - 1
      const { raw, ...received } = emulator.messages[at]
      const text = raw.toString()
      if (expected instanceof RegExp) assert.match(text, expected, field)
      else assert.ok(expected(text, { ...received, at }), `${field}: ${text}`)
    }
  })
}
