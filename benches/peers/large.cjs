'use strict'
// As large.py, from Node.
const fs = require('node:fs')

const [who, text, path] = process.argv.slice(2)
const options = JSON.parse(text)

const memory = (name) => Number(/\d+/.exec(fs.readFileSync('/proc/self/status', 'utf8').split('\n').find((line) => line.startsWith(name)))[0]) * 1024

async function main() {
  let send, end
  if (who === 'mailbearer') {
    const { Mailer } = require(process.env.MAILBEARER_NODE)
    const { auth, limits, ...rest } = options
    const mailer = new Mailer({
      ...rest,
      auth: { grant: auth.grant, accessToken: auth.access_token },
      limits: { maxConnections: limits.max_connections },
    })
    await mailer.warm()
    send = () => mailer.send({ from: 'me@example.com', to: 'ada@example.com', attachments: [path] })
    end = () => mailer.close()
  } else {
    const transport = require('nodemailer').createTransport({
      host: 'localhost', port: options.smtp.port, secure: true, pool: true, maxConnections: 1,
      tls: { ca: fs.readFileSync(options.tls.roots) },
      auth: { type: 'OAuth2', user: 'me@example.com', accessToken: options.auth.access_token },
    })
    await transport.sendMail({ from: 'me@example.com', to: 'ada@example.com', text: 'x' })
    send = () => transport.sendMail({ from: 'me@example.com', to: 'ada@example.com', attachments: [{ path }] })
    end = () => transport.close()
  }
  const before = memory('VmRSS')
  fs.writeFileSync('/proc/self/clear_refs', '5')
  const begun = performance.now()
  await send()
  console.log(JSON.stringify({ seconds: (performance.now() - begun) / 1000, peak: Math.max(0, memory('VmHWM') - before) }))
  await end()
}

main()
