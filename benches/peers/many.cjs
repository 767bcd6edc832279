// `many.cjs WHO OPTIONS COUNT SIZE`: sends and prints seconds and CPU seconds. WHO is mailbearer or nodemailer.
const { readFileSync } = require('node:fs')

const [who, given, ...numbers] = process.argv.slice(2)
const options = JSON.parse(given)
const [count, size] = numbers.map(Number)
const text = 'a line of text for the body of this message\r\n'.repeat(size / 45 + 1).slice(0, size)
const connections = options.limits.max_connections ?? 1
const message = () => ({ from: 'me@example.com', to: 'ada@example.com', subject: 'bench', text })
const clock = () => [process.hrtime.bigint(), process.cpuUsage()]
const told = ([wall, cpu]) => {
  const { user, system } = process.cpuUsage(cpu)
  console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - wall) / 1e9, cpu: (user + system) / 1e6 }))
}
function* many(n) {
  for (let at = 0; at < n; at++) yield message()
}

async function mailbearer() {
  const { Mailer } = require(process.env.MAILBEARER_NODE)
  const { smtp, limits, tls } = options
  const mailer = new Mailer({
    provider: options.provider, username: options.username, smtp, tls, limits: { maxConnections: limits.max_connections, maxMessagesPerConnection: null },
    auth: { grant: 'access_token', accessToken: options.auth.access_token },
  })
  for await (const _ of mailer.sendMany(many(30)));
  const before = clock()
  for await (const result of mailer.sendMany(many(count))) if (result.outcome !== 'sent') throw result.error
  told(before)
  await mailer.close()
}

async function nodemailer() {
  const transport = require('nodemailer').createTransport({
    host: 'localhost', port: options.smtp.port, secure: true, pool: true, maxConnections: connections, maxMessages: Infinity,
    tls: { ca: readFileSync(options.tls.roots) },
    auth: { type: 'OAuth2', user: 'me@example.com', accessToken: options.auth.access_token },
  })
  await Promise.all(Array.from({ length: connections }, () => transport.sendMail(message())))
  const before = clock()
  const source = many(count)
  const work = async () => {
    for (const one of source) await transport.sendMail(one)
  }
  // As many at once as keep its pool full.
  await Promise.all(Array.from({ length: connections * 2 }, work))
  told(before)
  transport.close()
}

;({ mailbearer, nodemailer })[who]().catch((error) => {
  console.error(error)
  process.exit(1)
})
