// The token half, and signing in.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { inspect } from 'node:util'

import { Mailer, TokenSource } from '../index.mjs'
import { Emulator } from '../testing.mjs'

let emulator
before(async () => { emulator = await Emulator.start() })
beforeEach(() => emulator.clear())
after(() => emulator.close())

const heard = (emitter, name) => new Promise((resolve) => emitter.once(name, resolve))

test('a source tells what happens, to listeners and to a logger', async () => {
  const logged = []
  const source = new TokenSource({ ...emulator.settings(), logger: { info: (fields, name) => logged.push([name, fields.grant]) } })
  const refreshed = heard(source, 'token.refreshed')
  await source.get()
  assert.equal((await refreshed).grant, 'client_credentials')
  assert.deepEqual(logged, [['token.refreshed', 'client_credentials']])
})

test('a mailer’s source tells what happens to tokens, and nothing else', async () => {
  const mailer = new Mailer(emulator.settings())
  const names = []
  mailer.tokens.emit = (name) => names.push(name)
  const done = heard(mailer, 'send.done')
  await mailer.send({ to: 'ada@example.com', text: 'x' })
  await done
  assert.deepEqual(names, ['token.refreshed'])
})

test('a source comes from a file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailbearer-'))
  try {
    const file = join(folder, 'config.toml')
    writeFileSync(file, 'provider = "memory"\nusername = "me@example.org"\n[auth]\ngrant = "access_token"\naccess_token = "base"\n[profiles.work.auth]\naccess_token = "work"\n', { mode: 0o600 })
    assert.equal((await TokenSource.fromFile(file).get()).secret, 'base')
    assert.equal((await TokenSource.fromFile(file, { profile: 'work' }).get()).secret, 'work')
    const source = TokenSource.fromFile(file, { auth: { accessToken: 'own' }, logger: false })
    assert.equal((await source.get()).secret, 'own')
    assert.throws(() => TokenSource.fromFile(join(folder, 'none.toml')), { code: 'config_invalid' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a sign-in that is printed shows neither code nor state', async () => {
  const mailer = new Mailer(emulator.settings({ grant: 'authorization_code' }))
  const login = await mailer.login({ redirectUri: new URL('https://app.contoso.com/callback') })
  assert.ok(login.url.includes(login.state))
  for (const text of [inspect(login), inspect({ login }, { depth: 9, showHidden: false }), JSON.stringify(login)]) {
    assert.ok(text.includes('authorization_code') && !text.includes(login.state) && !text.includes('https://'), text)
  }
  emulator.configure({ deviceInterval: 1 })
  const device = await new Mailer(emulator.settings({ grant: 'device_code' })).login()
  assert.ok(!inspect(device).includes(device.userCode) && device.message.includes(device.userCode))
  device.cancel()
})

test('the answer to a sign-in comes as frameworks give it', async () => {
  const options = emulator.settings({ grant: 'authorization_code' })
  const mailer = new Mailer(options)
  const redirectUri = 'https://app.contoso.com/callback'
  for (const give of [
    (url) => url.href, (url) => url, (url) => url.search, (url) => url.searchParams, (url) => new Map(url.searchParams),
    // Express's and Node's own query parsers give objects without a prototype.
    (url) => Object.assign(Object.create(null), Object.fromEntries(url.searchParams)),
    (url) => { const form = new FormData(); for (const [name, value] of url.searchParams) form.set(name, value); return form },
  ]) {
    const login = await mailer.login({ redirectUri })
    const url = new URL(await emulator.signIn(login.url, { username: options.username }))
    assert.equal((await login.finish(give(url))).username, options.username, String(give))
  }
})

test('a sign-in takes no option that it does not know', async () => {
  const mailer = new Mailer(emulator.settings({ grant: 'authorization_code' }))
  for (const [options, field] of [[{ redirectURI: 'https://x.example' }, 'redirectURI'], [{ openBrowser: 'yes' }, 'openBrowser'], [{ timeout: 5 }, 'timeout'], [{ method: 3 }, 'method']]) {
    await assert.rejects(mailer.login(options), { code: 'config_invalid', field })
  }
})
