// As fleet.py, from Node.
import { createInterface } from 'node:readline'

const { Mailer } = await import(process.env.MAILBEARER_NODE)
let mailer
const events = []
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  if (!mailer) {
    mailer = new Mailer(camel(order))
    for (const name of ['warning', 'limit.waiting', 'smtp.closed']) mailer.on(name, (fields) => events.push({ name, ...fields }))
    console.log('ready')
    continue
  }
  const many = Array.from({ length: order.count }, (_, n) => ({ to: 'ada@example.com', subject: order.subject, text: `${n}` }))
  const results = []
  for await (const { outcome, messageId, error } of mailer.sendMany(many, { timeout: order.timeout ?? '60s' })) {
    results.push({ outcome, id: messageId, error: error && String(error) })
  }
  console.log(JSON.stringify({ results, events: events.splice(0) }))
}
await mailer.close()

function camel(value) {
  if (Array.isArray(value) || value === null || typeof value !== 'object') return value
  const name = (key) => key.replace(/_(.)/g, (_, letter) => letter.toUpperCase())
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [name(key), camel(item)]))
}
