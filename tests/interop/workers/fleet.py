"""Sends messages one by one and side by side as it is told, line by line, and says what became of each."""

import json
import sys

import mailbearer

options = json.loads(sys.stdin.readline())
mailer = mailbearer.Mailer(**options, on_event=lambda event: events.append({"name": event.name, **event.fields}))
events: list[dict] = []
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    many = ({"to": "ada@example.com", "subject": order["subject"], "text": f"{n}"} for n in range(order["count"]))
    results = []
    raised = None
    try:
        for result in mailer.send_many(many, timeout=order.get("timeout", "60s")):
            error = result.error and str(result.error)
            results.append({"outcome": result.outcome, "id": result.message_id, "error": error})
    except mailbearer.Error as error:
        raised = str(error)
    print(json.dumps({"results": results, "events": events, "raised": raised}, default=str), flush=True)
    events.clear()
mailer.close()
