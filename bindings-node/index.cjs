'use strict'
const { MailError } = require('./lib/errors.cjs')
const { explain } = require('./lib/explain.cjs')
const { Mailer } = require('./lib/mailer.cjs')
const { TokenSource } = require('./lib/tokens.cjs')
const { prometheus } = require('./native.cjs')
require('./lib/exit.cjs')

module.exports = { MailError, Mailer, TokenSource, explain, prometheus }
