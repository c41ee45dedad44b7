import hashlib
import json
import sys

import requests

said = []
url = sys.argv[1]
with requests.Session() as session:
    answers = [requests.get(url + "/hello"), requests.post(url + "/echo", data=b"x" * 10_000), session.get(url + "/large")]
    answers += [session.get(url + "/hello") for _ in range(3)]
    said = [[answer.status_code, hashlib.sha256(answer.content).hexdigest()] for answer in answers]
print(json.dumps(said))
