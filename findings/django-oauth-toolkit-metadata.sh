#!/usr/bin/env bash
# django-oauth-toolkit 3.4.1, mounted at /o/: can a client that knows the issuer find the endpoints for a device sign-in?
#
# Guess: the metadata of RFC 8414 stands at /.well-known/oauth-authorization-server/o, and if it lists the device grant, it names
#        device_authorization_endpoint.
# Seen:  that address is 404; the document stands at /o/.well-known/oauth-authorization-server, where OpenID Connect would append
#        its own. It lists the device grant, and neither it nor the OpenID document names device_authorization_endpoint, which
#        RFC 8628 section 4 defines for it and which the service has (/o/device-authorization/).
source "$(dirname "$0")/setup.sh"
python_packages django-oauth-toolkit==3.4.1 Django==5.2.19 oauthlib==4.0.1

cat >"$tmp/metadata.py" <<'PY'
import json

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="for this run only " * 3,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    OAUTH2_PROVIDER={"OIDC_ENABLED": True, "SCOPES": {"mail": "send mail"}},
)
django.setup()

from django.test import Client  # noqa: E402  (needs the settings above)
from django.urls import include, path, resolve  # noqa: E402

urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]
places = [
    "/.well-known/oauth-authorization-server/o",
    "/o/.well-known/oauth-authorization-server",
    "/o/.well-known/openid-configuration",
]
for place in places:
    answer = Client().get(place)
    print(place, answer.status_code)
    if answer.status_code == 200:
        found = json.loads(answer.content)
        print("  issuer", found["issuer"])
        print("  device grant listed:", "urn:ietf:params:oauth:grant-type:device_code" in found.get("grant_types_supported", []))
        print("  device_authorization_endpoint named:", "device_authorization_endpoint" in found)
print("/o/device-authorization/ is", resolve("/o/device-authorization/").url_name)
PY
"$python" "$tmp/metadata.py" >"$tmp/out" 2>"$tmp/warnings" || { cat "$tmp/warnings"; exit 1; }
cat "$tmp/out"
expect "nothing stands where RFC 8414 puts it" grep -qx '/.well-known/oauth-authorization-server/o 404' "$tmp/out"
expect "the document stands behind the issuer" grep -qx '/o/.well-known/oauth-authorization-server 200' "$tmp/out"
expect "its issuer is .../o" grep -q 'issuer http://testserver/o$' "$tmp/out"
expect "it lists the device grant" grep -q 'device grant listed: True' "$tmp/out"
expect "neither document names the endpoint" test "$(grep -c 'device_authorization_endpoint named: False' "$tmp/out")" = 2
expect "the endpoint is there" grep -q '/o/device-authorization/ is device-authorization' "$tmp/out"
