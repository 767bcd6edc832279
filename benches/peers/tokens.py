"""A token that is there already: `tokens.py WHO OPTIONS` prints microseconds a call."""

import json
import sys
import time

who, options = sys.argv[1], json.loads(sys.argv[2])
if who == "mailbearer":
    from mailbearer import TokenSource

    source = TokenSource(**options)
    call = source.get
else:
    import msal

    auth = options["auth"]
    app = msal.ConfidentialClientApplication(
        auth["client_id"],
        client_credential=auth["client_secret"],
        authority=f"{auth['authority']}/{auth['tenant']}",
        instance_discovery=False,
        verify=options["tls"]["roots"],
    )

    def call():
        found = app.acquire_token_for_client(["https://outlook.office365.com/.default"])
        assert "access_token" in found, found


call()
best = float("inf")
for _ in range(5):
    begun = time.perf_counter()
    for _ in range(20_000):
        call()
    best = min(best, (time.perf_counter() - begun) / 20_000)
print(json.dumps({"microseconds": best * 1e6}))
