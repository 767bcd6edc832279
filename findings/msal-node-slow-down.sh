#!/usr/bin/env bash
# @azure/msal-node 7.2.3, sign-in with a device code: what if the service answers `slow_down`?
#
# Guess: it waits five seconds longer between polls from then on and goes on polling, as RFC 8628 section 3.5 says.
# Seen:  `authorization_pending` is waited out, `slow_down` ends the sign-in at once: AuthError post_request_failed. The person
#        may still enter the code, and nobody asks for the token any more.
source "$(dirname "$0")/setup.sh"
node_packages @azure/msal-node@7.2.3

cat >"$tmp/device.cjs" <<'JS'
const { PublicClientApplication } = require("@azure/msal-node");

const authority = "https://login.microsoftonline.com/common";
const metadata = {
  issuer: "https://login.microsoftonline.com/{tenantid}/v2.0",
  authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
  token_endpoint: `${authority}/oauth2/v2.0/token`,
  end_session_endpoint: `${authority}/oauth2/v2.0/logout`,
  jwks_uri: `${authority}/discovery/v2.0/keys`,
};
const answers = ["authorization_pending", process.argv[2], "access_denied"];
// Answers in the place of the network: no request leaves this process.
const networkClient = {
  async sendGetRequestAsync() {
    return { status: 200, headers: {}, body: metadata };
  },
  async sendPostRequestAsync(url) {
    if (url.includes("devicecode")) {
      const body = { device_code: "d", user_code: "U", verification_uri: "https://example.com/", expires_in: 60, interval: 1 };
      return { status: 200, headers: {}, body };
    }
    const error = answers.shift();
    console.log("poll answered:", error);
    return { status: 400, headers: {}, body: { error, error_description: error } };
  },
};
const app = new PublicClientApplication({ auth: { clientId: "client-id", authority }, system: { networkClient } });
app.acquireTokenByDeviceCode({ scopes: ["https://outlook.office.com/SMTP.Send"], deviceCodeCallback() {} }).then(
  () => console.log("a token"),
  (error) => console.log("error:", error.name, error.message),
);
JS
(cd "$tmp" && timeout 60 node device.cjs authorization_pending) | tee "$tmp/pending"
(cd "$tmp" && timeout 60 node device.cjs slow_down) | tee "$tmp/slow"

expect "authorization_pending is polled again, until the last answer" grep -q '^error: .*access_denied' "$tmp/pending"
expect "slow_down ends the sign-in" grep -q '^error: AuthError post_request_failed.*slow_down' "$tmp/slow"
expect "the next answer was never fetched" test "$(grep -c 'access_denied' "$tmp/slow")" = 0
