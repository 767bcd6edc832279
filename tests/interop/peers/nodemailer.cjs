// nodemailer, unmodified, sends to the emulator. Prints the server's answers, as JSON.
const { readFileSync } = require('node:fs')
const { createTransport } = require('nodemailer')

const { ca, port, tlsPort, user, accessToken, clientId, refreshToken, accessUrl } = JSON.parse(process.argv[2])
const tls = { ca: readFileSync(ca) }

async function send(options, subject) {
  const transport = createTransport({ host: 'localhost', tls, ...options })
  const { response, accepted } = await transport.sendMail({ from: user, to: 'ada@example.com', subject, text: 'Hi' })
  transport.close()
  return { response, accepted }
}

async function main() {
  const given = { type: 'OAuth2', user, accessToken }
  const renewed = { type: 'OAuth2', user, clientId, refreshToken, accessUrl, tls }
  console.log(JSON.stringify([
    await send({ port, requireTLS: true, auth: given }, 'with a token, STARTTLS'),
    await send({ port: tlsPort, secure: true, auth: given }, 'with a token, TLS'),
    await send({ port, requireTLS: true, auth: renewed }, 'with a refresh token'),
  ]))
}
main().catch((error) => {
  console.error(error)
  process.exit(1)
})
