// The same class as `require('mailbearer/testing')` gives.
import testing from './testing.cjs'

export const { Emulator } = testing
