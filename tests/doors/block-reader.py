"""Reads a stream of events in blocks, as Python's clients do: the data of each message, a line each, then how it ended.

Arguments: the library, and the address.
"""
import sys

library, url = sys.argv[1:]


def said(text):
    print(text, flush=True)


if library == "requests":
    import requests
    import sseclient

    events = sseclient.SSEClient(requests.get(url, stream=True)).events()
else:
    import sseclient
    import urllib3

    events = sseclient.SSEClient(urllib3.PoolManager().request("GET", url, preload_content=False)).events()

try:
    for event in events:
        if event.event == "fanfare.cursor" and "subscribed" not in globals():
            subscribed = True
            said("subscribed")
        elif not event.event.startswith("fanfare."):
            said(event.data)
    said("ended")
except Exception as error:
    said("failed: " + repr(error))
