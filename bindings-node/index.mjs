// The same as `require('mailbearer')` gives.
import mailbearer from './index.cjs'

export const { MailError, Mailer, TokenSource, explain, prometheus } = mailbearer
