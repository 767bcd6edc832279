// Checked by `npm run types`: `require` gives the same types.
import mailbearer = require('mailbearer')
import { transport } from 'mailbearer/nodemailer'

const mailer: mailbearer.Mailer = new mailbearer.Mailer({ provider: 'memory' })
transport(mailer).close()
