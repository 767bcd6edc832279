// The smallest program: options from the environment, one message, one receipt.
import { Mailer } from '../bindings-node/index.mjs'

const mailer = Mailer.fromEnv()
const receipt = await mailer.send({
  to: 'ada@example.com',
  subject: 'Hello from Node',
  text: 'Sent with a token, without a password.\n',
})
console.log('Node   ', receipt.messageId, receipt.reply.code, receipt.reply.text)
await mailer.close()
