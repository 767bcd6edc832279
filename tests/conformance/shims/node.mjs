// The Node face: one JSON request a line, one JSON answer a line.
import { createInterface } from 'node:readline'
import { MailError, Mailer, explain, prometheus } from '../../../bindings-node/index.mjs'

// Everything that happens is printed beside.
const print = (fields, name) => console.error(name, JSON.stringify(fields))
const logger = { debug: print, info: print, warn: print }
let mailer = null
let flow = null

async function perform(request) {
  if (request.op === 'close') {
    await mailer?.close({ timeout: '1s' })
    mailer = null
    return {}
  }
  if (request.options) mailer = new Mailer({ ...camel(request.options), logger })
  const call = camel(request.call ?? {})
  switch (request.op) {
    case 'open':
      return {}
    case 'send':
      return await mailer.send(fields(request.message, request), call)
    case 'send_raw': {
      const { raw, envelope, tag } = request
      return await mailer.send({ raw: Buffer.from(raw, 'base64'), ...camel({ envelope, tag }) }, call)
    }
    case 'send_many':
      return await sendMany(request, call)
    case 'token': {
      const token = await mailer.tokens.get({ force: request.force ?? false })
      const { secret, username, scopes, expiresAt } = token
      return { secret, username, scopes, expiresAt }
    }
    case 'login':
      flow = await mailer.login({ method: request.method, redirectUri: request.redirect_uri })
      return about(flow)
    case 'resume':
      flow = mailer.resumeLogin(request.saved)
      return about(flow)
    case 'wait':
      return await flow.wait(call)
    case 'finish':
      return await flow.finish(request.callback)
    case 'save':
      return { saved: flow.save() }
    case 'import':
      return await mailer.tokens.importLogin(request.text)
    case 'logout':
      await mailer.logout()
      return {}
    case 'for_mailbox':
      mailer = mailer.forMailbox(request.text, { from: request.from })
      return {}
    case 'metrics':
      return { metrics: mailer.metrics(), prometheus: prometheus() }
    case 'explain':
      return { explanations: explain(request.text) }
    case 'export':
      await mailer.exportMetrics({ endpoint: request.text })
      return {}
    case 'verify': {
      const report = await mailer.verify({ sendTo: request.send_to, throwOnFailure: !request.report })
      return { ok: report.ok, text: String(report) }
    }
  }
  throw new Error(`unknown op ${request.op}`)
}

async function sendMany(request, call) {
  const messages = Array(request.repeat ?? 1).fill(request.messages).flat()
  const results = []
  try {
    for await (const result of mailer.sendMany(messages.map((m) => fields(m, request)), call)) {
      results.push({ ...result, error: result.error?.toJSON() ?? null })
    }
  } catch (error) {
    if (!(error instanceof MailError)) throw error
    return { results, fatal: error }
  }
  return { results }
}

function fields(message, request) {
  const out = camel(message)
  if (message.headers) out.headers = message.headers
  if (message.date) out.date = new Date(message.date)
  out.attachments = message.attachments?.map((item) => {
    if (typeof item === 'string') return item
    const { blob, ...rest } = item
    return blob === undefined ? camel(rest) : { ...camel(rest), content: Buffer.from(request.blobs[blob], 'base64') }
  })
  if (out.attachments === undefined) delete out.attachments
  return out
}

const about = ({ method, url, userCode, message, state }) => ({ method, url, userCode, message, state })

function rename(value, name) {
  if (Array.isArray(value)) return value.map((item) => rename(item, name))
  if (value === null || typeof value !== 'object' || value instanceof Date || Buffer.isBuffer(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [name(key), key === 'headers' ? item : rename(item, name)]),
  )
}
const camel = (value) => rename(value, (key) => key.replace(/_([a-z])/g, (_, c) => c.toUpperCase()))
const snake = (value) => rename(value, (key) => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`))

function plain(error) {
  const { retry_after_ms: ms, ...rest } = snake(error.toJSON())
  return { ...rest, retry_after: ms == null ? null : ms / 1000 }
}

async function answer(request) {
  try {
    const { fatal, ...found } = await perform(request)
    return { ok: snake(found), ...(fatal ? { error: plain(fatal) } : {}) }
  } catch (error) {
    if (!(error instanceof MailError)) throw error
    return { error: plain(error) }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`)
}
