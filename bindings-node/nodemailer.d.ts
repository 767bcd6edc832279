import type { Mailer, Receipt } from './index.js'

/** What nodemailer's `sendMail` resolves to. */
export interface SentInfo {
  envelope: { from: string | false; to: string[] }
  messageId: string
  accepted: string[]
  rejected: string[]
  response: string
  /** What `Mailer.send` gave. */
  receipt: Receipt
}

/**
 * A transport for `nodemailer.createTransport`: nodemailer builds the message, this mailer sends it. Errors have
 * nodemailer's codes (`EAUTH`, `EENVELOPE`, …) and the `MailError` as their `cause`; `signal` of a message is honoured.
 * Close the mailer itself, or the transport.
 */
export function transport(mailer: Mailer): {
  name: string
  version: string
  supportsAbortSignal: true
  send(mail: any, done: (error: Error | null, info?: SentInfo) => void): void
  verify(): Promise<true>
  verify(done: (error: Error | null, success?: true) => void): void
  isIdle(): boolean
  close(): void
}
