// nodemailer's smtp-server, as the test asks for it. Options come as JSON in the first argument; the first
// line of output says where it listens; at the end of standard input it prints what it saw.
const { readFileSync } = require('node:fs')
const { format } = require('node:util')
const { SMTPServer } = require('smtp-server')

const { certificate, key, refuse = 0, ...options } = JSON.parse(process.argv[2])
const seen = { signIns: [], messages: [], lines: [] }
const logger = Object.fromEntries(['trace', 'info', 'warn', 'error', 'fatal', 'level'].map((name) => [name, () => {}]))
logger.debug = (_, ...words) => {
  const line = format(...words)
  // Tokens are long: what is kept of a line is its beginning.
  if (/^[CS]:/.test(line)) seen.lines.push(line.slice(0, 60))
}

const server = new SMTPServer({
  cert: readFileSync(certificate),
  key: readFileSync(key),
  authMethods: ['XOAUTH2'],
  hideENHANCEDSTATUSCODES: false,
  logger,
  ...options,
  onAuth(auth, session, done) {
    seen.signIns.push({ method: auth.method, username: auth.username, token: auth.accessToken })
    const data = { status: '401', schemes: 'bearer', scope: 'https://mail.google.com/' }
    done(null, seen.signIns.length <= refuse ? { data } : { user: auth.username })
  },
  onData(stream, session, done) {
    const chunks = []
    stream.on('data', (chunk) => chunks.push(chunk))
    stream.on('end', () => {
      const { mailFrom, rcptTo } = session.envelope
      const body = Buffer.concat(chunks).toString('base64')
      seen.messages.push({ mailFrom: mailFrom.address, rcptTo: rcptTo.map((r) => r.address), body })
      done(null, 'taken')
    })
  },
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.server.address().port })))
process.stdin.resume()
process.stdin.on('end', () => {
  process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0))
})
