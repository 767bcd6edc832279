// Attachments and finished MIME piece by piece, from everything that JavaScript calls a stream.

import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { after, before, beforeEach, test } from 'node:test'

import { Mailer } from '../index.mjs'
import { Emulator } from '../testing.mjs'

let emulator
let mailer
before(async () => {
  emulator = await Emulator.start()
  mailer = new Mailer({ ...emulator.settings(), limits: { messagesPerMinute: null } })
})
beforeEach(() => emulator.clear())
after(async () => {
  await mailer.close()
  await emulator.close()
})

const octets = Buffer.alloc(200_000, 'octets ')
const pieces = () => [octets.subarray(0, 7), new Uint8Array(0), octets.subarray(7)]
async function* generator() {
  yield* pieces()
}
const web = () => new ReadableStream({
  start(controller) {
    for (const piece of pieces()) controller.enqueue(piece)
    controller.close()
  },
})
const kinds = {
  'a stream of Node’s': () => Readable.from(pieces()),
  'a web stream': web,
  'a web stream without an iterator': () => Object.assign(web(), { [Symbol.asyncIterator]: undefined }),
  'a blob': () => new Blob(pieces()),
  'a generator': generator,
  'an async iterable': () => ({ [Symbol.asyncIterator]: generator }),
  'an ArrayBuffer': () => Uint8Array.from(octets).buffer,
}
const bodyOf = (raw) => Buffer.from(raw.toString().split('base64\r\n\r\n')[1].split('\r\n\r\n--')[0], 'base64')

for (const [kind, make] of Object.entries(kinds)) {
  test(`${kind} is an attachment`, async () => {
    await mailer.send({ to: 'ada@example.com', attachments: [{ filename: 'a.bin', content: make() }] })
    for await (const { error } of mailer.sendMany([{ to: 'ada@example.com', attachments: [{ content: make() }] }])) assert.equal(error, null)
    assert.ok(emulator.messages.length === 2 && emulator.messages.every(({ raw }) => bodyOf(raw).equals(octets)))
  })
}

test('finished MIME comes from each of them, too', async () => {
  const mime = 'From: noreply@contoso.com\nTo: ada@example.com\n\nmine\n'
  for (const raw of [Readable.from([mime.slice(0, 9), mime.slice(9)]), new Blob([mime]), new Blob([mime]).stream(),
    (async function* () { yield mime })(), new TextEncoder().encode(mime).buffer]) {
    await mailer.send({ raw })
  }
  assert.ok(emulator.messages.length === 5 && emulator.messages.every(({ raw }) => raw.toString().endsWith('\r\n\r\nmine\r\n')))
})

test('a File says what it is', async () => {
  await mailer.send({ to: 'ada@example.com', attachments: [{ content: new File(['{}'], 'a.json', { type: 'application/json' }) }] })
  assert.match(emulator.messages[0].raw.toString(), /Content-Type: application\/json[\s\S]*filename="a.json"/)
})

test('what was read before, or gives no octets, is refused', async () => {
  const locked = web()
  locked.getReader()
  const read = web()
  for await (const piece of read.values({ preventCancel: true })) assert.ok(piece)
  const spent = generator()
  await mailer.send({ to: 'ada@example.com', attachments: [{ content: spent }] })
  for (const [content, message] of [[locked, /read before/], [read, /read before/], [spent, /read before/],
    [(async function* () { yield 3 })(), /must be a string, octets/]]) {
    await assert.rejects(mailer.send({ to: 'ada@example.com', attachments: [{ content }] }), { code: 'attachment_unreadable', message })
  }
  for (const content of [3, {}, true, () => 'x']) {
    await assert.rejects(mailer.send({ to: 'ada@example.com', attachments: [{ content }] }), { code: 'message_invalid', field: 'attachments[0].content' })
  }
})

test('a send that fails gives up what it began to read', async () => {
  let cancelled = 0
  const endless = () => new ReadableStream({ pull: (controller) => controller.enqueue(octets), cancel: () => { cancelled += 1 } })
  async function* ends() {
    try {
      for (;;) yield octets
    } finally {
      cancelled += 1
    }
  }
  emulator.configure({ sizeLimit: 1_000_000 })
  for (const content of [endless(), ends()]) {
    await assert.rejects(mailer.send({ to: 'ada@example.com', attachments: [{ content }] }), { delivery: 'none' })
  }
  await new Promise(setImmediate)
  assert.equal(cancelled, 2)
})
