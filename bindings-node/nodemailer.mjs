// The same as `require('mailbearer/nodemailer')` gives.
import adapter from './nodemailer.cjs'

export const { transport } = adapter
