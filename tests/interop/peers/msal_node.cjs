// MSAL for Node, unmodified, as a client of the emulator. Prints what it got, as JSON.
const msal = require('@azure/msal-node')

const { authority, url, clientId, clientSecret, publicClientId, username } = JSON.parse(process.argv[2])
const knownAuthorities = [new URL(authority).host]
const at = (more) => ({ auth: { authority: `${authority}/contoso.com`, knownAuthorities, ...more } })
const scopes = ['https://outlook.office.com/SMTP.Send']

async function control(name, body) {
  const headers = { 'Content-Type': 'application/json' }
  const answer = await fetch(`${url}/api/${name}`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`)
  const text = await answer.text()
  return text ? JSON.parse(text) : undefined
}

async function main() {
  const app = new msal.ConfidentialClientApplication(at({ clientId, clientSecret }))
  const application = await app.acquireTokenByClientCredential({ scopes: ['https://outlook.office365.com/.default'] })

  const client = new msal.PublicClientApplication(at({ clientId: publicClientId }))
  const device = await client.acquireTokenByDeviceCode({
    scopes,
    deviceCodeCallback: (found) => control('approve', { user_code: found.userCode, username }),
  })

  const { verifier, challenge } = await new msal.CryptoProvider().generatePkceCodes()
  const redirectUri = 'http://localhost:51234'
  const page = await client.getAuthCodeUrl({
    scopes, redirectUri, codeChallenge: challenge, codeChallengeMethod: 'S256', state: 's1', nonce: 'n1',
  })
  const back = new URL((await control('sign_in', { url: page, username })).callback).searchParams
  const code = await client.acquireTokenByCode(
    { code: back.get('code'), scopes, redirectUri, codeVerifier: verifier, state: 's1', nonce: 'n1' },
    { state: back.get('state') },
  )
  const silent = await client.acquireTokenSilent({ scopes, account: code.account, forceRefresh: true })
  console.log(JSON.stringify({
    application: application.accessToken,
    device: { token: device.accessToken, username: device.account.username },
    code: { token: code.accessToken, username: code.account.username },
    silent: silent.accessToken,
  }))
}
main().catch((error) => {
  console.error(error)
  process.exit(1)
})
