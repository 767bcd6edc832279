// How much memory a message of 25 MB from a stream takes: `node --expose-gc test/memory.mjs`. No test: it prints what it measures.
//
// The server is a process of its own, so that only the client's memory is seen.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'

import { createTransport } from 'nodemailer'

import { Mailer } from '../index.mjs'
import { transport } from '../nodemailer.mjs'

const SIZE = 25_000_000
const mebibytes = (octets) => `${(octets / 2 ** 20).toFixed(1)} MiB`

// The peak of the resident memory while `work` runs, over what there was before.
async function peak(work) {
  globalThis.gc?.()
  const before = process.memoryUsage.rss()
  let most = before
  const timer = setInterval(() => { most = Math.max(most, process.memoryUsage.rss()) }, 2)
  await work()
  clearInterval(timer)
  return most - before
}

// `size` octets of base64 as lines, made on the way.
function* lines(size) {
  const line = Buffer.from(`${'QUJD'.repeat(19)}\r\n`)
  const piece = Buffer.concat(Array(200).fill(line))
  for (let left = size; left > 0; left -= piece.length) yield piece
}

const emulator = spawn(process.argv[2] ?? new URL('../../target/debug/examples/serve', import.meta.url).pathname, { stdio: ['pipe', 'pipe', 'inherit'] })
const about = JSON.parse((await once(emulator.stdout, 'data'))[0])
const options = await (await fetch(`${about.url}/api/settings?grant=client_credentials&username=noreply@contoso.com`)).json()
const camel = (value) => (value === null || typeof value !== 'object' ? value
  : Object.fromEntries(Object.entries(value).map(([key, item]) => [key.replace(/_(.)/g, (_, c) => c.toUpperCase()), camel(item)])))
const mailer = new Mailer(camel(options))
const mail = createTransport(transport(mailer))
const head = 'From: noreply@contoso.com\r\nTo: ada@example.com\r\nSubject: x\r\n'
const raw = () => Readable.from((function* () { yield `${head}\r\n`; yield* lines(SIZE) })(), { objectMode: true })
const ways = {
  'raw from a stream': () => mailer.send({ raw: raw() }),
  'nodemailer, attachment from a stream': () => mail.sendMail({ from: 'noreply@contoso.com', to: 'ada@example.com', text: 'x', attachments: [{ filename: 'a.bin', content: Readable.from(lines(SIZE), { objectMode: false }) }] }),
  'nodemailer, raw from a stream': () => mail.sendMail({ envelope: { from: 'noreply@contoso.com', to: 'ada@example.com' }, raw: raw() }),
}
// The first message of each way loads code.
for (const work of Object.values(ways)) await work()
for (const [name, work] of Object.entries(ways)) console.log(`${name}: ${mebibytes(await peak(work))} over idle`)
await mailer.close()
emulator.stdin.end()
