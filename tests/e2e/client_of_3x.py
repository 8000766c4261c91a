"""Calls the four operations; runs on Python 3.6 with the published client."""

import json
import sys

from micro.api.endpoints import Requests

requests = Requests(*sys.argv[1:])
calls = {
    "plugins": requests.plugins.delay(),
    "info": requests.info.delay("Example Plugin"),
    "help": requests.help.delay("Example Plugin"),
    "run": requests.run.delay("Example Plugin", name="Micro"),
    "unknown": requests.run.delay("Nobody"),
}
print(json.dumps({name: json.loads(call.wait(timeout=20)) for name, call in calls.items()}))
