// `first.cjs WHO OPTIONS`: one message from a process that has just started, its token acquired.
const [who, given] = process.argv.slice(2)
const { mailer, nodemailer } = JSON.parse(given)
const message = { from: 'noreply@contoso.com', to: 'ada@example.com', subject: 'bench', text: 'x' }

async function main() {
  if (who === 'mailbearer') {
    const { Mailer } = require(process.env.MAILBEARER_NODE)
    const begun = process.hrtime.bigint()
    const one = new Mailer(mailer)
    await one.send(message)
    return Number(process.hrtime.bigint() - begun) / 1e9
  }
  const { readFileSync } = require('node:fs')
  const tls = { ca: readFileSync(mailer.tls.roots) }
  const begun = process.hrtime.bigint()
  const transport = require('nodemailer').createTransport({
    host: 'localhost', port: mailer.smtp.port, requireTLS: true, tls, auth: { type: 'OAuth2', tls, ...nodemailer },
  })
  await transport.sendMail(message)
  return Number(process.hrtime.bigint() - begun) / 1e9
}
main().then(
  (seconds) => {
    console.log(JSON.stringify({ seconds }))
    process.exit(0)
  },
  (error) => {
    console.error(error)
    process.exit(1)
  },
)
